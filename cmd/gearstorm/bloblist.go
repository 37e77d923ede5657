package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// blobRow is a blob in JSON output; the names are part of the interface.
type blobRow struct {
	Key     string   `json:"key"`
	Version int64    `json:"version"`
	ACL     []string `json:"acl"`
	Lack    string   `json:"error,omitempty"` // of a key that was asked for by name: denied or not found

	acl []*stormrpc.AccessControl
}

func blobList() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "the blobs, or those of some keys", ArgsUsage: "[KEY]...",
		Description: "With -o json (or yaml) a list of objects with key, version (differs when the contents do), acl and, for a key that was\nasked for by name, error: denied or not found.",
		Flags:       []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				rows, err := blobRows(c.Context, n.rpc, c.Args().Slice())
				switch {
				case err != nil:
					return err
				case asData:
					return printData(c, rows)
				case asStorm(c):
					stormBlobs(c.App.Writer, rows)
					return nil
				}
				return plainBlobs(c.App.Writer, rows)
			})
		},
	}
}

// blobRows asks for the blobs of keys, or for all. Of all, those that are gone meanwhile or not for this user are left out.
func blobRows(ctx context.Context, rpc *stormrpc.NimbusClient, keys []string) ([]blobRow, error) {
	byName := len(keys) > 0
	if !byName {
		var err error
		if keys, err = blobKeys(ctx, rpc); err != nil {
			return nil, err
		}
	}
	rows := []blobRow{}
	for _, key := range keys {
		meta, err := rpc.GetBlobMeta(ctx, key)
		row := blobRow{Key: key, ACL: []string{}}
		switch kind := client.KindOf(err); {
		case err == nil:
			row.Version, row.acl, row.ACL = meta.Version, meta.Settable.Acl, aclEntries(meta.Settable.Acl)
		case kind == client.NotAuthorized:
			row.Lack = "denied"
		case kind == client.KeyNotFound:
			row.Lack = "not found"
		default:
			return nil, err
		}
		if row.Lack == "" || byName {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// blobKeys asks for all keys, page by page.
func blobKeys(ctx context.Context, rpc *stormrpc.NimbusClient) (keys []string, err error) {
	for session := ""; ; {
		page, err := rpc.ListBlobs(ctx, session)
		if err != nil || len(page.Keys) == 0 {
			return keys, err
		}
		keys, session = append(keys, page.Keys...), page.Session
	}
}

func stormBlobs(w io.Writer, rows []blobRow) {
	for _, r := range rows {
		switch r.Lack {
		case "":
			fmt.Fprintf(w, "%s %d %s\n", r.Key, r.Version, aclText(r.acl))
		case "denied":
			fmt.Fprintf(w, "ACCESS DENIED to key: %s\n", r.Key)
		default:
			fmt.Fprintf(w, "%s NOT FOUND\n", r.Key)
		}
	}
}

func plainBlobs(w io.Writer, rows []blobRow) error {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no blobs; `gearstorm blobstore create KEY -f FILE` makes one")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "KEY\tVERSION\tACCESS")
	for _, r := range rows {
		if r.Lack != "" {
			fmt.Fprintf(tw, "%s\t-\t%s\n", r.Key, r.Lack)
			continue
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\n", r.Key, r.Version, strings.Join(r.ACL, ","))
	}
	return tw.Flush()
}
