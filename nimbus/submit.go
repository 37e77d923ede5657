package nimbus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// secretBytes is the length of the secret that authenticates a topology's worker links.
const secretBytes = 32

// submission is what a client sends.
type submission struct {
	name     string
	location string
	jsonConf string
	code     *stormrpc.StormTopology
	options  *stormrpc.SubmitOptions

	conf conf.Conf // jsonConf, once it was read
}

// submit takes a topology. The checks stand in Storm's order (Nimbus.java, submitTopologyWithOpts), which decides the
// answer to a submission with several faults.
func (n *Nimbus) submit(ctx context.Context, s submission) error {
	if err := n.lead(); err != nil {
		return err
	}
	if s.options == nil {
		return invalid("Cannot submitTopologyWithOpts: SubmitOptions parameter value is null")
	}
	if err := checkName(s.name); err != nil {
		return err
	}
	if err := n.may(ctx, "submitTopology", s.name, nil); err != nil {
		return err
	}
	if _, ok := n.named(s.name); ok {
		return alreadyAlive(s.name)
	}
	var err error
	if s.conf, err = parseConf(s.jsonConf); err != nil {
		return err
	}
	if s.code == nil {
		return invalid("topology %s is null", s.name)
	}
	if err := n.checkAgainstCluster(ctx, s); err != nil {
		return err
	}
	t, err := n.prepare(ctx, s)
	if err != nil {
		return err
	}
	return n.commit(ctx, s, t)
}

func (n *Nimbus) checkAgainstCluster(ctx context.Context, s submission) error {
	daemon := n.cfg.Conf
	if err := checkComponentKeys(s.code); err != nil {
		return err
	}
	if err := checkValidator(daemon, s.name, s.code); err != nil {
		return err
	}
	if err := checkSymlinks(daemon, s.conf); err != nil {
		return err
	}
	if err := checkHeap(daemon, s.conf, s.code); err != nil {
		return err
	}
	for _, key := range blobMap(s.conf) {
		info, err := n.blobInfo(key)
		if err != nil {
			return invalid("Key not found: %s", key)
		}
		if err := n.mayAny(ctx, info, blobstore.All); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes the topology that will be stored, with all that Nimbus adds to it.
func (n *Nimbus) prepare(ctx context.Context, s submission) (*topology, error) {
	now := n.cfg.Now()
	id := n.newID(s.name, now)
	user := callerOf(ctx)
	code, whole, err := n.normalize(s, id, user)
	if err != nil {
		return nil, err
	}
	owner, err := whole.StringOr("topology.submitter.user", n.cfg.User)
	if err != nil {
		return nil, err
	}
	t, err := newTopology(cluster.Topology{ID: id, Name: s.name, GraphVersion: 1, Launched: now.UTC(), Owner: owner, Principal: user,
		StormVersion: code.GetStormVersion(), JDKVersion: code.GetJdkVersion()}, whole, code)
	if err != nil {
		return nil, asInvalid(err)
	}
	if err := n.checkWhole(t); err != nil {
		return nil, err
	}
	return t, n.complete(t, s)
}

// normalize makes the code and the whole configuration that are stored for a submission of a user.
func (n *Nimbus) normalize(s submission, id, user string) (*stormrpc.StormTopology, conf.Conf, error) {
	if err := checkVersion(s.code, n.cfg.Version); err != nil {
		return nil, nil, err
	}
	asUser, err := n.cfg.Conf.BoolOr("supervisor.run.worker.as.user", false)
	if err != nil {
		return nil, nil, err
	}
	if asUser && user == "" {
		return nil, nil, unauthorized("Could not determine the user to run this topology as.")
	}
	submitted, err := n.policy.withAckers(n.cfg.Conf, s.conf, s.code)
	if err != nil {
		return nil, nil, err
	}
	code, whole, err := compat.Normalize(withoutSecrets(n.cfg.Conf), submitted, s.code,
		compat.Submission{ID: id, Name: s.name, Principal: user, SystemUser: n.cfg.User})
	return code, whole, asInvalid(err)
}

// checkWhole holds a topology to the limits of the cluster and its scheduler.
func (n *Nimbus) checkWhole(t *topology) error {
	if err := n.policy.check(t); err != nil {
		return err
	}
	if err := checkSize(n.cfg.Conf, t.conf, t.code); err != nil {
		return err
	}
	if !hasZooKeeperAuth(n.cfg.Conf, t.conf) {
		return errors.New("the cluster is configured for zookeeper authentication, but no payload was provided")
	}
	return nil
}

// describe takes the wishes of a topology that stand in its configuration into its record.
func (t *topology) describe() error {
	workers, err := t.conf.IntOr("topology.workers", 1)
	if err != nil || workers < 1 || workers > 1<<20 {
		return invalid("topology.workers must be between 1 and %d", 1<<20)
	}
	t.Workers = int(workers)
	t.Version, err = t.conf.StringOr("topology.version", "")
	return asInvalid(err)
}

// complete fills what is neither in the configuration nor in the code.
func (n *Nimbus) complete(t *topology, s submission) error {
	switch s.options.InitialStatus {
	case stormrpc.TopologyInitialStatus_ACTIVE:
		t.Status = cluster.Active
	case stormrpc.TopologyInitialStatus_INACTIVE:
		t.Status = cluster.Inactive
	default:
		return fmt.Errorf("initial status %d is not allowed", s.options.InitialStatus)
	}
	if err := t.describe(); err != nil {
		return err
	}
	if c := s.options.Creds; c != nil {
		t.orders.credentials = c.Creds
	}
	if err := checkCredentials(t.orders.credentials); err != nil {
		return err
	}
	t.Secret = make([]byte, secretBytes)
	rand.Read(t.Secret) // never fails; it ends the process instead
	return nil
}

// isSecret tells whether a key of the daemon's configuration holds something that only the daemon should know.
func isSecret(key string) bool {
	if k, ok := conf.Lookup(key); ok && k.Secret {
		return true
	}
	return strings.Contains(key, "password") || strings.Contains(key, "secret") || strings.HasSuffix(key, "auth.payload")
}

// withoutSecrets is the daemon's configuration without its passwords: unlike in Storm they do not become part of every
// topology's configuration, which workers and readers of pages get.
func withoutSecrets(c conf.Conf) conf.Conf {
	out := conf.Merge(c)
	maps.DeleteFunc(out, func(key string, v any) bool { return v != nil && isSecret(key) })
	return out
}

// masked is the daemon's configuration as clients may see it.
func masked(c conf.Conf) conf.Conf {
	out := conf.Merge(c)
	for key, v := range out {
		if v != nil && isSecret(key) {
			out[key] = "*****"
		}
	}
	return out
}

// commit stores a topology: its blobs, copies of them on other masters, then in one step its records. The step is
// what makes it exist. Nothing is left of a submission that fails, and the next start removes what a crash leaves. Where
// leadership is lost during the step the caller is told that nobody knows, and the next leader finds all of it or nothing.
func (n *Nimbus) commit(ctx context.Context, s submission, t *topology) error {
	code, err := n.checkJars(ctx, s.location, t.code)
	if err != nil {
		return err
	}
	if err := t.replaceCode(code); err != nil {
		return asInvalid(err)
	}
	keys := blobKeys(t.ID)
	err = n.storeBlobs(ctx, s, t, keys)
	if err == nil {
		err = n.create(ctx, s, t, keys)
	}
	if err != nil && client.KindOf(err) != client.InDoubt {
		n.strike(keys)
		n.deleteBlobs(t.ID, keys)
	}
	if err != nil {
		return err
	}
	n.cfg.Log.Info("topology submitted", "topology", t.ID, "owner", t.Owner, "storm_version", t.StormVersion)
	n.wake()
	return nil
}

// storeBlobs puts the blobs of a topology on this disk and waits for copies.
func (n *Nimbus) storeBlobs(ctx context.Context, s submission, t *topology, keys []string) error {
	rawConf, err := client.EncodeConf(t.conf)
	if err != nil {
		return asInvalid(err)
	}
	rawCode, err := client.EncodeTopology(t.code)
	if err != nil {
		return err
	}
	acl := blobstore.NormalizeACL(nil, t.Principal, blobstore.All)
	n.reached("before blobs")
	if _, err := n.blobs.CreateFromUpload(client.JarKey(t.CodeID()), acl, s.location); err != nil {
		return fmt.Errorf("store topology %s: %w", t.ID, err)
	}
	n.reached("jar stored")
	if _, err := n.blobs.Create(client.ConfKey(t.CodeID()), acl, rawConf); err != nil {
		return fmt.Errorf("store topology %s: %w", t.ID, err)
	}
	n.reached("conf stored")
	if _, err := n.blobs.Create(client.CodeKey(t.CodeID()), acl, rawCode); err != nil {
		return fmt.Errorf("store topology %s: %w", t.ID, err)
	}
	if err := n.offer(keys); err != nil {
		return fmt.Errorf("store topology %s: %w", t.ID, err)
	}
	n.reached("code stored")
	want, err := n.copiesOf(t, s)
	if err != nil {
		return err
	}
	if err := n.waitForCopies(ctx, want, keys...); errors.Is(err, errDeposed) {
		return notLeading("leadership was lost while blobs were copied, nothing has changed; try again in a moment")
	} else if err != nil {
		return err
	}
	return nil
}

// create writes the records of a topology whose blobs are stored.
func (n *Nimbus) create(ctx context.Context, s submission, t *topology, keys []string) error {
	n.change.Lock()
	defer n.change.Unlock()
	if _, ok := n.named(t.Name); ok {
		return alreadyAlive(t.Name)
	}
	ops := cluster.CreateTopology(t.Topology)
	if len(t.orders.credentials) > 0 {
		ops = append(ops, cluster.PutCredentials(t.ID, cluster.Credentials{Values: t.orders.credentials}))
	}
	n.reached("copies made")
	err := n.recordBlobs(ctx, keys, ops...)
	n.reached("committed")
	if errors.Is(err, cluster.ErrConflict) {
		return alreadyAlive(t.Name)
	}
	if err != nil {
		return fmt.Errorf("store topology %s: %w", t.ID, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replaceLocked(t)
	return nil
}

// reached is where a test may end the process.
func (n *Nimbus) reached(point string) {
	if n.atPoint != nil {
		n.atPoint(point)
	}
}
