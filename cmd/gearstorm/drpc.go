package main

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/drpc"
)

func drpcCommand() *cli.Command {
	return &cli.Command{
		Name: "drpc", Category: catDaemons, Usage: "a DRPC server, in the foreground",
		Description: "Serves callers on drpc.port and drpc.http.port, topologies on drpc.invocations.port. Topologies and clients find it by\n" +
			"drpc.servers, so storm.yaml names its host there. With drpc.https.port it serves HTTPS instead of HTTP, or both with\n" +
			"drpc.disable.http.binding: false; drpc.https.keystore.path is a Java key store, PKCS #12 or a PEM file with key and certificates.",
		Flags: []cli.Flag{hostFlag()},
		Action: func(c *cli.Context) error {
			cf, err := loadConf(c)
			if err != nil {
				return err
			}
			cfg, err := drpc.FromConf(cf)
			if err != nil {
				return err
			}
			cfg.Host, cfg.Log = c.String("host"), slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))
			s, err := drpc.New(cfg)
			if err != nil {
				return err
			}
			defer s.Close()
			fmt.Fprintf(c.App.Writer, "gearstorm drpc: serving %s\n", served(cfg.Host, s.Ports()))
			return together(c.Context, s.Run)
		},
	}
}

// served says where a DRPC server listens.
func served(host string, p drpc.Ports) string {
	at := func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	text := fmt.Sprintf("%s, topologies at %s", at(p.Execute), at(p.Invocations))
	if p.HTTP > 0 {
		text += fmt.Sprintf(", http://%s/drpc/FUNCTION/ARGS", at(p.HTTP))
	}
	if p.HTTPS > 0 {
		text += fmt.Sprintf(", https://%s/drpc/FUNCTION/ARGS", at(p.HTTPS))
	}
	return text
}
