package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

func classpathCommand() *cli.Command {
	return jarsCommand("classpath", "the class path that jar gives to main classes", false)
}

func serverClasspathCommand() *cli.Command {
	return jarsCommand("server_classpath", "the class path of Storm's own daemons, which do not run here", true)
}

func jarsCommand(name, usage string, server bool) *cli.Command {
	return &cli.Command{
		Name: name, Category: catDaemons, Usage: usage,
		Action: func(c *cli.Context) error {
			_, _, cp, err := stormClasspath(c, server)
			if err == nil {
				fmt.Fprintln(c.App.Writer, strings.Join(cp, string(os.PathListSeparator)))
			}
			return err
		},
	}
}

// stormClasspath is what it takes to run a class of Storm's own, of its client or of its servers.
func stormClasspath(c *cli.Context, server bool) (stormJars, stormEnv, []string, error) {
	env, err := readStormEnv()
	if err != nil {
		return stormJars{}, nil, nil, err
	}
	jars, err := stormJarsOf(c, env)
	if err != nil {
		return jars, env, nil, err
	}
	cp, err := jars.classpath(env, server, server)
	return jars, env, cp, err
}

// devZookeeperCommand is Storm's dev-zookeeper (org.apache.storm.command.DevZookeeper), which is Java.
func devZookeeperCommand() *cli.Command {
	return &cli.Command{
		Name: "dev-zookeeper", Category: catDaemons, Usage: "a ZooKeeper for development, in the foreground; needs a release of Storm",
		Description: "Runs that of the Storm release in $STORM_HOME at storm.zookeeper.port, with its state in dev.zookeeper.path, which it wipes.\n" +
			"Nothing here needs it: \"gearstorm dev\" keeps its state in a file.",
		Action: func(c *cli.Context) error {
			jars, env, cp, err := stormClasspath(c, true)
			if err != nil {
				return err
			}
			return javaProgram{jars: jars, env: env, class: "org.apache.storm.command.DevZookeeper", classpath: cp}.run(c.Context, c)
		},
	}
}
