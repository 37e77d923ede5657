package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// outputFlag is -o; the names in JSON and YAML, which the command's Description lists, are part of the interface.
func outputFlag() cli.Flag {
	return &cli.StringFlag{Name: "o", Aliases: []string{"output"}, Value: "table", Usage: "`FORMAT`: table, json or yaml"}
}

// dataWanted reports whether the output is to be data, which printData writes, and not text for people.
func dataWanted(c *cli.Context) (bool, error) {
	switch o := c.String("o"); o {
	case "", "table", "text":
		return false, nil
	case "json", "yaml":
		return true, nil
	default:
		return false, usagef("output %q: table, json and yaml are known", o)
	}
}

// printData writes v as -o says.
func printData(c *cli.Context, v any) error {
	if c.String("o") == "yaml" {
		return writeYAML(c.App.Writer, v)
	}
	return writeJSON(c.App.Writer, v, "  ")
}

func writeJSON(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeYAML writes what writeJSON writes, names and order too, in YAML's block style.
func writeYAML(w io.Writer, v any) error {
	var text bytes.Buffer
	if err := writeJSON(&text, v, ""); err != nil {
		return err
	}
	var doc yaml.Node // JSON is YAML
	if err := yaml.Unmarshal(text.Bytes(), &doc); err != nil {
		return err
	}
	plain(&doc)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return err
	}
	return enc.Close()
}

// plain takes JSON's brackets and quotes off; the encoder adds quotes where a text would be read as something else.
func plain(n *yaml.Node) {
	if len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		plain(c)
	}
}
