package webhdfs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// client speaks WebHDFS to the name nodes of one cluster.
type client struct {
	http   *http.Client
	scheme string
	hosts  []string     // name nodes, or gateways
	at     atomic.Int32 // the one that answered last
	user   string
	token  func() string // of a delegation, "" for none
	late   func(f func()) (stop func() bool)
}

// patience is how long a name node may take until it begins to answer. It is well below what one action on a store may take, so that the next
// one is asked where one stands still with its connections open.
const patience = 20 * time.Second

var errSilent = fmt.Errorf("it has not answered within %v", patience)

// maxAnswer bounds what a name node says, in bytes: a list of some 100,000 files.
const maxAnswer = 64 << 20

func newClient(c Config, hosts []string) *client {
	t := c.Transport
	if t == nil {
		t = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     time.Minute,
		}
	}
	token := c.Delegation
	if token == nil {
		token = func() string { return "" }
	}
	late := c.late
	if late == nil {
		late = func(f func()) func() bool { return time.AfterFunc(patience, f).Stop }
	}
	scheme := "http"
	if c.Secure {
		scheme = "https"
	}
	return &client{scheme: scheme, hosts: hosts, user: c.User, token: token, late: late, http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// remote is what a name node says instead of an answer.
type remote struct {
	Status    int
	Exception string `json:"exception"`
	Message   string `json:"message"`
}

func (r *remote) Error() string {
	text, _, _ := strings.Cut(r.Message, "\n")
	said := fmt.Sprintf("%s (%d): %s", r.Exception, r.Status, text[:min(len(text), 500)])
	if what := r.advice(); what != "" {
		said += " (" + what + ")"
	}
	return said
}

// advice says what the operator can do about it, or "".
func (r *remote) advice() string {
	switch r.Exception {
	case "AccessControlException":
		return "the store's directory has to be the user's whom webhdfs://user@host:port/path or the delegation token names"
	case "SafeModeException":
		return "HDFS takes no writes until enough data nodes have reported, or an operator ends that: hdfs dfsadmin -safemode leave"
	case "StandbyException":
		return "none of the name nodes that are known is in charge: name the others too, by ?standby=host:port,..."
	}
	switch {
	case strings.HasPrefix(r.Message, "Failed to find datanode"):
		return "no data node is there, or none has room"
	case r.noRoom():
		return "no data node has room, or none is there"
	case r.Is(checkpoint.ErrFull):
		return "raise the quota of the store's directory, or keep fewer checkpoints"
	}
	return ""
}

// noRoom is that a block got no node.
func (r *remote) noRoom() bool { return strings.Contains(r.Message, "could only be written to 0 of") }

// Is puts the errors of package checkpoint in place of Hadoop's.
func (r *remote) Is(target error) bool {
	switch r.Exception {
	case "FileNotFoundException":
		return target == checkpoint.ErrNotFound
	case "FileAlreadyExistsException":
		return target == checkpoint.ErrExists
	case "DSQuotaExceededException", "NSQuotaExceededException", "QuotaExceededException", "DiskOutOfSpaceException":
		return target == checkpoint.ErrFull
	}
	return target == checkpoint.ErrFull && r.noRoom()
}

// elsewhere says that another name node has to be asked.
func (r *remote) elsewhere() bool {
	return r.Exception == "StandbyException" || r.Exception == "RetriableException"
}

// op is a request to a name node.
func (c *client) op(ctx context.Context, method, path, op string, params url.Values, into any) error {
	r, err := c.ask(ctx, method, path, op, params)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode/100 != 2 {
		return answer(r)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err != nil {
		return clean(err)
	}
	if len(b) > maxAnswer {
		return fmt.Errorf("%s: the answer has more than %d bytes", op, maxAnswer)
	}
	if len(b) == 0 || into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: the answer is not WebHDFS's: %w", op, err)
	}
	return nil
}

// who says in a request whose it is.
func (c *client) who() url.Values {
	if token := c.token(); token != "" {
		return url.Values{"delegation": {token}}
	}
	if c.user != "" {
		return url.Values{"user.name": {c.user}}
	}
	return nil
}

// ask sends a request to the name nodes, from the one that answered last on, until one is in charge.
func (c *client) ask(ctx context.Context, method, path, op string, params url.Values) (*http.Response, error) {
	q := url.Values{"op": {op}}
	for _, more := range []url.Values{c.who(), params} {
		for k, v := range more {
			q[k] = v
		}
	}
	var last error
	first := c.at.Load()
	for i := range c.hosts {
		at := (int(first) + i) % len(c.hosts)
		u := url.URL{Scheme: c.scheme, Host: c.hosts[at], Path: "/webhdfs/v1" + path, RawQuery: q.Encode()}
		r, err := c.sendWithin(ctx, method, u.String())
		if err == nil && r.StatusCode == http.StatusForbidden {
			if err = answer(r); !mayAskAnother(err) {
				return nil, err
			}
		}
		if err == nil {
			c.at.Store(int32(at))
			return r, nil
		}
		if last = fmt.Errorf("%s at %s: %w", op, c.hosts[at], err); ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func mayAskAnother(err error) bool {
	var r *remote
	return errors.As(err, &r) && r.elsewhere()
}

// sendWithin is send to a name node, whose answer has to begin within patience.
func (c *client) sendWithin(ctx context.Context, method, to string) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := c.late(func() { cancel(errSilent) })
	r, err := c.send(ctx, method, to, nil)
	if stop(); context.Cause(ctx) == errSilent {
		if err == nil {
			r.Body.Close()
		}
		return nil, errSilent
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	r.Body = &ending{r.Body, func() { cancel(nil) }}
	return r, nil
}

// ending is the body of an answer whose request's context ends with it.
type ending struct {
	io.ReadCloser
	end func()
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// send makes one request. body is not closed.
func (c *client) send(ctx context.Context, method, to string, body io.Reader) (*http.Response, error) {
	if _, ok := body.(io.Closer); ok {
		body = struct{ io.Reader }{body}
	}
	r, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return nil, errors.New("a request cannot be made of what the name node said")
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/octet-stream") // gateways insist
	}
	answer, err := c.http.Do(r)
	return answer, clean(err)
}

// clean takes the URL out of an error: tokens stand there.
func clean(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// answer reads what is wrong, and ends the response.
func answer(r *http.Response) error {
	defer r.Body.Close()
	b, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return clean(err)
	}
	var e struct{ RemoteException *remote }
	if json.Unmarshal(b, &e) != nil || e.RemoteException == nil {
		return fmt.Errorf("the answer is %s: %.200q", r.Status, bytes.TrimSpace(b))
	}
	e.RemoteException.Status = r.StatusCode
	return e.RemoteException
}
