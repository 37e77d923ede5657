package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// logLevels are those of log4j.
var logLevels = []string{"ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"}

// setLogLevelCommand is Storm's set_log_level (org.apache.storm.command.SetLogLevel).
func setLogLevelCommand() *cli.Command {
	return &cli.Command{
		Name: "set_log_level", Aliases: []string{"set-log-level"}, Category: catCluster, Usage: "change what the workers of a topology log", ArgsUsage: "NAME",
		Description: "ROOT is the logger of all, others are components or classes. The level goes back by itself after SECS, if they are given.\n\n" +
			"  gearstorm set_log_level -l ROOT=DEBUG:30 wordcount",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "l", Aliases: []string{"log-setting"}, Usage: "`LOGGER=LEVEL[:SECS]`; levels are " + strings.Join(logLevels, ", ") + "; may stand several times"},
			&cli.StringSliceFlag{Name: "r", Aliases: []string{"remove-log-setting"}, Usage: "forget the level of `LOGGER`; may stand several times"},
		},
		Action: func(c *cli.Context) error {
			name, err := oneName(c)
			if err != nil {
				return err
			}
			set, err := logSettings(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				t, err := n.rpc.GetTopologySummaryByName(c.Context, name)
				if err != nil {
					return notRunning(name, err)
				}
				if err := n.rpc.SetLogConfig(c.Context, t.ID, &stormrpc.LogConfig{NamedLoggerLevel: set}); err != nil {
					return err
				}
				fmt.Fprintf(c.App.Writer, "Log config %s is sent for topology %s\n", logConfigText(set), name)
				return nil
			})
		},
	}
}

// logSettings reads -l and -r; a logger that stands in both is removed.
func logSettings(c *cli.Context) (map[string]*stormrpc.LogLevel, error) {
	set := map[string]*stormrpc.LogLevel{}
	for _, text := range c.StringSlice("l") {
		logger, rest, ok := strings.Cut(text, "=")
		level, secsText, timed := strings.Cut(rest, ":")
		level = strings.ToUpper(level)
		var secs int64
		var err error
		if timed {
			secs, err = strconv.ParseInt(secsText, 10, 32)
		}
		if !ok || logger == "" || !slices.Contains(logLevels, level) || err != nil {
			return nil, badValue(c, "-l %q: want LOGGER=LEVEL[:SECS] with one of the levels %s", text, strings.Join(logLevels, ", "))
		}
		seconds := int32(secs)
		set[logger] = &stormrpc.LogLevel{Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: &level, ResetLogLevelTimeoutSecs: &seconds}
	}
	for _, logger := range c.StringSlice("r") {
		set[logger] = &stormrpc.LogLevel{Action: stormrpc.LogLevelAction_REMOVE}
	}
	if len(set) == 0 && !asStorm(c) {
		return nil, usageError("set_log_level needs -l or -r")
	}
	return set, nil
}

// logConfigText writes settings as Thrift's Java code does.
func logConfigText(set map[string]*stormrpc.LogLevel) string {
	if len(set) == 0 {
		return "LogConfig()"
	}
	var entries []string
	for _, logger := range slices.Sorted(maps.Keys(set)) {
		l := set[logger]
		text := "action:" + l.Action.String()
		if l.TargetLogLevel != nil {
			text += ", target_log_level:" + *l.TargetLogLevel
		}
		if l.ResetLogLevelTimeoutSecs != nil {
			text += fmt.Sprintf(", reset_log_level_timeout_secs:%d", *l.ResetLogLevelTimeoutSecs)
		}
		entries = append(entries, logger+"=LogLevel("+text+")")
	}
	return "LogConfig(named_logger_level:{" + strings.Join(entries, ", ") + "})"
}
