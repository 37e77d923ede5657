package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const aclHelp = "An access list is u:NAME:rwa for a user and o::rwa for the others, joined by commas: r to read, w to write and delete, a to\n" +
	"change the list. It counts where storm.blobstore.acl.validation.enabled is true."

// blobstoreCommand is Storm's blobstore (org.apache.storm.command.Blobstore).
func blobstoreCommand() *cli.Command {
	return &cli.Command{
		Name: "blobstore", Category: catCluster, Usage: "files that the cluster keeps for topologies",
		Description: "A topology names blobs in topology.blobstore.map and finds them as files in the directories of its workers.\n\n" +
			"  gearstorm blobstore create words.txt -f /usr/share/dict/words\n  gearstorm submit -c 'topology.blobstore.map={\"words.txt\":{}}' topology.yaml",
		Subcommands: []*cli.Command{blobList(), blobCat(), blobCreate(), blobUpdate(), blobDelete(), blobSetACL(), blobReplication()},
		Action:      noSubcommand,
	}
}

// noSubcommand answers a command line whose command lacks its second word.
func noSubcommand(c *cli.Context) error {
	if c.NArg() == 0 {
		return usagef("%s needs a command: %s", c.Command.Name, subcommands(c.Command))
	}
	return usagef("%s has no command %q: %s", c.Command.Name, c.Args().First(), subcommands(c.Command))
}

func subcommands(cmd *cli.Command) string {
	text := ""
	for i, s := range cmd.Subcommands {
		if i > 0 {
			text += ", "
		}
		text += s.Name
	}
	return text
}

func fileFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "f", Aliases: []string{"file"}, Usage: usage}
}

// oneKey returns the single argument of a command on a blob.
func oneKey(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", usagef("%s takes one key, got %d", c.Command.Name, c.NArg())
	}
	return c.Args().First(), nil
}

func blobCat() *cli.Command {
	return &cli.Command{
		Name: "cat", Usage: "write what a blob holds to standard output or a file", ArgsUsage: "KEY",
		Flags: []cli.Flag{fileFlag("write to `FILE`")},
		Action: func(c *cli.Context) error {
			key, err := oneKey(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				return toFile(c.String("f"), c.App.Writer, func(w io.Writer) error {
					_, err := n.DownloadBlob(c.Context, key, w, -1)
					return err
				})
			})
		},
	}
}

// toFile has write fill the file at path, or w where there is no path. A file gets its name once it is whole, unless it is
// there and no regular one, such as a pipe.
func toFile(path string, w io.Writer, write func(io.Writer) error) error {
	if path == "" {
		return write(w)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func blobCreate() *cli.Command {
	return &cli.Command{
		Name: "create", Usage: "make a blob of a file or of standard input", ArgsUsage: "KEY", Description: aclHelp,
		Flags: []cli.Flag{
			fileFlag("read it from `FILE` instead of standard input"),
			&cli.StringFlag{Name: "a", Aliases: []string{"acl"}, Usage: "access `LIST`"},
			&cli.IntFlag{Name: "r", Aliases: []string{"replication-factor"}, Value: -1, DefaultText: "the cluster's", Usage: "`N` replicas to ask for"},
		},
		Action: func(c *cli.Context) error {
			key, err := oneKey(c)
			if err != nil {
				return err
			}
			acl, err := parseACL(c.String("a"))
			if err != nil {
				return badValue(c, "-a: %v", err)
			}
			n := c.Int("r")
			if c.IsSet("r") && (n <= 0 || n > math.MaxInt32) {
				return usagef("-r %d: want a positive number of replicas", n)
			}
			replicas := int32(n)
			if err := blobstore.CheckKey(key); err != nil {
				return fmt.Errorf("%w; a key has letters, digits, blanks, _, . and -", err)
			}
			return withNimbus(c, func(n *session) error {
				return fromFile(c, "create "+key, func(r io.Reader, bar *uploadBar) error {
					fmt.Fprintf(c.App.Writer, "Creating %s with ACL %s\n", key, aclText(acl))
					meta := &stormrpc.SettableBlobMeta{Acl: acl, ReplicationFactor: &replicas}
					if err := n.CreateBlob(c.Context, key, meta, r, bar.sent); err != nil {
						return err
					}
					bar.end()
					fmt.Fprintf(c.App.Writer, "Successfully created %s\n", key)
					return nil
				})
			})
		},
	}
}

func blobUpdate() *cli.Command {
	return &cli.Command{
		Name: "update", Usage: "replace what a blob holds by a file or standard input", ArgsUsage: "KEY",
		Description: "Running workers that have it get the new contents, or start again where topology.blobstore.map says so.",
		Flags:       []cli.Flag{fileFlag("read it from `FILE` instead of standard input")},
		Action: func(c *cli.Context) error {
			key, err := oneKey(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				return fromFile(c, "update "+key, func(r io.Reader, bar *uploadBar) error {
					if err := n.UpdateBlob(c.Context, key, r, bar.sent); err != nil {
						return err
					}
					bar.end()
					fmt.Fprintf(c.App.Writer, "Successfully updated %s\n", key)
					return nil
				})
			})
		},
	}
}

// fromFile opens what -f names, or standard input, for an upload with a bar.
func fromFile(c *cli.Context, what string, upload func(io.Reader, *uploadBar) error) error {
	f := os.Stdin
	if path := c.String("f"); path != "" {
		var err error
		if f, err = os.Open(path); err != nil {
			return err
		}
		defer f.Close()
	}
	size := int64(0) // not known
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	} else if err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder; a blob is one file, such as an archive of it", f.Name())
	}
	bar := newUploadBar(c.App.ErrWriter, what, size)
	defer bar.end()
	return upload(f, bar)
}

func blobDelete() *cli.Command {
	return &cli.Command{
		Name: "delete", Usage: "delete blobs", ArgsUsage: "KEY...",
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usageError("delete takes one or more keys")
			}
			return withNimbus(c, func(n *session) error {
				for _, key := range c.Args().Slice() {
					if err := n.rpc.DeleteBlob(c.Context, key); err != nil {
						return err
					}
					fmt.Fprintf(c.App.Writer, "deleted %s\n", key)
				}
				return nil
			})
		},
	}
}

func blobSetACL() *cli.Command {
	return &cli.Command{
		Name: "set-acl", Usage: "replace the access list of a blob", ArgsUsage: "KEY", Description: aclHelp,
		Flags: []cli.Flag{&cli.StringFlag{Name: "s", Aliases: []string{"set"}, Usage: "access `LIST`; without it the list stays"}},
		Action: func(c *cli.Context) error {
			key, err := oneKey(c)
			if err != nil {
				return err
			}
			acl, err := parseACL(c.String("s"))
			if err != nil {
				return badValue(c, "-s: %v", err)
			}
			return withNimbus(c, func(n *session) error {
				meta, err := n.rpc.GetBlobMeta(c.Context, key)
				if err != nil {
					return err
				}
				if len(acl) == 0 {
					acl = meta.Settable.Acl
				}
				fmt.Fprintf(c.App.Writer, "Setting ACL for %s to %s\n", key, aclText(acl))
				return n.rpc.SetBlobMeta(c.Context, key, &stormrpc.SettableBlobMeta{Acl: acl})
			})
		},
	}
}

func blobReplication() *cli.Command {
	return &cli.Command{
		Name: "replication", Usage: "how many masters hold a blob", ArgsUsage: "KEY",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "read", Usage: "print the number"},
			&cli.BoolFlag{Name: "update", Usage: "ask for another number"},
			&cli.IntFlag{Name: "r", Aliases: []string{"replication-factor"}, Usage: "`N` replicas to ask for"},
		},
		Action: func(c *cli.Context) error {
			key, err := oneKey(c)
			switch {
			case err != nil:
				return err
			case c.Bool("read") == c.Bool("update"):
				return usageError("replication takes either --read or --update")
			case c.Bool("update") && (c.Int("r") <= 0 || c.Int("r") > math.MaxInt32):
				return usageError("--update needs -r with a positive number of replicas")
			}
			return withNimbus(c, func(n *session) error {
				said, ask := "Current replication factor %d\n", func() (int32, error) { return n.rpc.GetBlobReplication(c.Context, key) }
				if c.Bool("update") {
					said, ask = "Replication factor is set to %d\n", func() (int32, error) { return n.rpc.UpdateBlobReplication(c.Context, key, int32(c.Int("r"))) }
				}
				replicas, err := ask()
				switch {
				case c.Bool("update") && client.KindOf(err) == client.Internal:
					return errors.New("the number of masters that hold a blob cannot be set, as with Storm's local store; every master copies all blobs")
				case err != nil:
					return err
				}
				fmt.Fprintf(c.App.Writer, said, replicas)
				return nil
			})
		},
	}
}
