package main

import (
	"encoding/json"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func getErrorsCommand() *cli.Command {
	return &cli.Command{
		Name: "get-errors", Category: catCluster, Usage: "the last error of each component, as a line of JSON", ArgsUsage: "NAME",
		Description: "Prints {\"Comp-Errors\":{COMPONENT:TEXT,...},\"Topology Name\":NAME}, or {\"Failure\":TEXT} if there is no such topology,\n" +
			"which is no failure of the command. Ends of worker processes stand under __system.",
		Action: func(c *cli.Context) error {
			name, err := oneName(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				choice := stormrpc.NumErrorsChoice_ONE
				ti, err := n.rpc.GetTopologyInfoByNameWithOpts(c.Context, name, &stormrpc.GetInfoOptions{NumErrChoice: &choice})
				if err != nil && client.KindOf(err) != client.NotAlive {
					return err
				}
				enc := json.NewEncoder(c.App.Writer)
				enc.SetEscapeHTML(false)
				if err != nil {
					return enc.Encode(map[string]string{"Failure": "No topologies running with name " + name})
				}
				return enc.Encode(lastErrors(ti))
			})
		},
	}
}

// topologyErrors is what Storm's get-errors prints (org.apache.storm.command.GetErrors).
type topologyErrors struct {
	Errors map[string]string `json:"Comp-Errors"`
	Name   string            `json:"Topology Name"`
}

func lastErrors(ti *stormrpc.TopologyInfo) topologyErrors {
	out := topologyErrors{map[string]string{}, ti.Name}
	for component, errs := range ti.Errors {
		if len(errs) > 0 {
			out.Errors[component] = errs[0].Error
		}
	}
	return out
}
