package main

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// uploadCredentialsCommand is Storm's upload-credentials (org.apache.storm.command.UploadCredentials). Storm 1 wrote it
// with an underscore.
func uploadCredentialsCommand() *cli.Command {
	return &cli.Command{
		Name: "upload-credentials", Aliases: []string{"upload_credentials"}, Category: catCluster, Usage: "give a running topology new credentials",
		ArgsUsage:   "NAME [KEY VALUE]...",
		Description: "The values go over those that the topology has. Pairs on the command line, which other users of the machine can see, go over those of the file.",
		Flags: []cli.Flag{
			fileFlag("read credentials from the properties `FILE`"),
			&cli.StringFlag{Name: "u", Aliases: []string{"user"}, Usage: "refuse unless the topology belongs to `OWNER`"},
			&cli.BoolFlag{Name: "e", Aliases: []string{"exception-when-empty"}, Usage: "fail when there are no credentials to give"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usageError("upload-credentials takes a topology name")
			}
			name := c.Args().First()
			values, err := credentialsOf(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				return uploadCredentials(c, n, name, values)
			})
		},
	}
}

// uploadCredentials gives a topology its credentials and says so. Storm says as much when there are none.
func uploadCredentials(c *cli.Context, n *session, name string, values map[string]string) error {
	t, err := n.rpc.GetTopologySummaryByName(c.Context, name)
	if err != nil {
		return err
	}
	if asStorm(c) {
		fmt.Fprintf(c.App.Writer, "Using topology conf from %s as basis for getting new creds\n", t.ID)
	}
	switch {
	case len(values) == 0 && c.Bool("e"):
		return fmt.Errorf("No credentials were uploaded for %s; name them on the command line or in a file", name)
	case len(values) == 0 && !asStorm(c):
		fmt.Fprintf(c.App.Writer, "no credentials, nothing was uploaded to topology %s\n", name)
		return nil
	case len(values) > 0:
		creds := &stormrpc.Credentials{Creds: values}
		if owner := c.String("u"); owner != "" {
			creds.TopoOwner = &owner
		}
		if err := n.rpc.UploadNewCredentials(c.Context, name, creds); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.App.Writer, "Uploaded new creds to topology: %s\n", name)
	return nil
}

// credentialsOf reads the file and the pairs of the command line.
func credentialsOf(c *cli.Context) (map[string]string, error) {
	values := map[string]string{}
	if file := c.String("f"); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		of, err := flux.ParseProperties(file, data)
		if err != nil {
			return nil, err
		}
		maps.Copy(values, of)
	}
	pairs := c.Args().Tail()
	if len(pairs)%2 != 0 {
		return nil, badValue(c, "Need an even number of arguments to make a map")
	}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return values, nil
}

// notRunning is Storm's sentence for a name that no topology has, for commands that look it up first.
func notRunning(name string, err error) error {
	if client.KindOf(err) == client.NotAlive {
		return errors.New(name + " is not a running topology")
	}
	return err
}
