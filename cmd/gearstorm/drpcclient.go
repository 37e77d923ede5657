package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/drpc"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// drpcPatience is how long a call may take before the client gives up on a server that should have ended it itself.
const drpcPatience = 24 * time.Hour

func drpcClientCommand() *cli.Command {
	return &cli.Command{
		Name: "drpc-client", Category: catCluster, Usage: "execute functions that topologies serve", ArgsUsage: "FUNCTION ARGS [FUNCTION ARGS]... | -f FUNCTION ARGS...",
		Description: "Prints FUNCTION \"ARGS\" => \"RESULT\" for each call, one after the other. The first one that fails ends the command.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "f", Aliases: []string{"function"}, Usage: "every argument is for `FUNCTION`"},
			&cli.StringFlag{Name: "drpc", Usage: "`HOST:PORT` of a DRPC server; else the gearstorm dev of this folder, drpc.servers and drpc.port"},
		},
		Action: func(c *cli.Context) error {
			calls, err := drpcCalls(c.String("f"), c.Args().Slice())
			if err != nil {
				return err
			}
			cf, err := loadConf(c)
			if err != nil {
				return err
			}
			at, err := drpcServers(c, cf, devPorts)
			if err != nil {
				return err
			}
			return callAll(c, at, calls)
		},
	}
}

// drpcCall is one function with its arguments.
type drpcCall struct{ function, args string }

// drpcCalls reads the command line as Storm does: with a function all are arguments of it, else function and arguments in turn.
func drpcCalls(function string, args []string) ([]drpcCall, error) {
	var out []drpcCall
	if len(args) == 0 {
		return nil, usagef("nothing to execute: name a function and its arguments")
	}
	if function != "" {
		for _, a := range args {
			out = append(out, drpcCall{function, a})
		}
		return out, nil
	}
	if len(args)%2 != 0 {
		return nil, usagef("If no -f is supplied arguments need to be in the form [func arg]. This has %d args.", len(args))
	}
	for i := 0; i < len(args); i += 2 {
		out = append(out, drpcCall{args[i], args[i+1]})
	}
	return out, nil
}

// devPorts returns the ports of the gearstorm dev of this folder.
func devPorts() (drpc.Ports, bool) {
	p, ok := seeds.ReadPorts(seeds.DevDir)
	return drpc.Ports{Execute: p.DRPC, Invocations: p.Invocations, HTTP: p.DRPCHTTP}, ok && p.DRPC > 0
}

// callAll makes the calls at the first of the servers, in random order, that can be reached.
func callAll(c *cli.Context, at []string, calls []drpcCall) error {
	client, err := dialAny(c.Context, at)
	if err != nil {
		return err
	}
	defer client.Close()
	rpc := stormrpc.NewDistributedRPCClient(client)
	for _, call := range calls {
		result, err := rpc.Execute(c.Context, call.function, call.args)
		if failed, ok := errors.AsType[*stormrpc.DRPCExecutionException](err); ok {
			return fmt.Errorf("%s %q: %s (%s)", call.function, call.args, failed.Msg, failed.GetType())
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", call.function, call.args, err)
		}
		fmt.Fprintf(c.App.Writer, "%s \"%s\" => \"%s\"\n", call.function, call.args, result)
	}
	return nil
}

func dialAny(ctx context.Context, at []string) (*wire.Client, error) {
	var err error
	for _, i := range rand.Perm(len(at)) {
		var client *wire.Client
		if client, err = wire.Dial(ctx, at[i], wire.DialOptions{CallTimeout: drpcPatience}); err == nil {
			return client, nil
		}
	}
	why := err.Error() // the last part is the cause: connection refused, no such host
	why = why[strings.LastIndex(why, ": ")+1:]
	return nil, fmt.Errorf("no DRPC server answers at %s (%s); is it running? `gearstorm drpc` starts one, `gearstorm dev` has one", strings.Join(at, ", "), strings.TrimSpace(why))
}

// drpcServers returns the servers to ask, the first one first: as told, else the gearstorm dev of this folder, else those of the
// configuration.
func drpcServers(c *cli.Context, cf conf.Conf, dev func() (drpc.Ports, bool)) ([]string, error) {
	if at := c.String("drpc"); at != "" {
		if host, port, err := net.SplitHostPort(at); err != nil || host == "" || strings.Trim(port, "0123456789") != "" || port == "" {
			return nil, usagef("--drpc %q is not HOST:PORT", at)
		}
		return []string{at}, nil
	}
	set, err := conf.ParseOptions(c.StringSlice("c"))
	if err != nil {
		return nil, usageError(err.Error())
	}
	if chosen := c.String("config") != "" || set.Has(drpc.KeyServers) || set.Has(drpc.KeyPort); !chosen {
		if p, ok := dev(); ok {
			return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Execute))}, nil
		}
	}
	hosts, err := cf.StringList(drpc.KeyServers)
	if err != nil {
		return nil, err
	}
	port, err := cf.Int(drpc.KeyPort)
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		return nil, errors.New("no DRPC server is known: name them in drpc.servers of storm.yaml, or one with --drpc HOST:PORT")
	}
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = net.JoinHostPort(h, strconv.FormatInt(port, 10))
	}
	return out, nil
}
