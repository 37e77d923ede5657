package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

const (
	// stormVersion is what clients are told: streamparse and others parse it and want 1.1.0 or later.
	stormVersion = "2.8.3"
	// version is gearstorm's own.
	version = "0.1.0"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Category: catDaemons, Usage: "versions of gearstorm and of the Storm it speaks",
		Description: "With -o json (or yaml) an object with gearstorm, storm, revision and go.",
		Flags:       []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			revision := "unknown"
			if bi, ok := debug.ReadBuildInfo(); ok {
				for _, s := range bi.Settings {
					if s.Key == "vcs.revision" {
						revision = s.Value
					}
				}
			}
			if asData {
				return printData(c, map[string]string{"gearstorm": version, "storm": stormVersion, "revision": revision, "go": runtime.Version()})
			}
			if asStorm(c) { // org.apache.storm.utils.VersionInfo
				fmt.Fprintf(c.App.Writer, "Storm %s\nBranch gearstorm-%s\nFrom source with checksum %s\n", stormVersion, version, revision)
				return nil
			}
			fmt.Fprintf(c.App.Writer, "gearstorm %s (revision %s, %s), speaks Storm %s\n", version, revision, runtime.Version(), stormVersion)
			return nil
		},
	}
}
