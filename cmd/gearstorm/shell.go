package main

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

// shellCommand is Storm's shell (org.apache.storm.command.ShellSubmission).
func shellCommand() *cli.Command {
	return &cli.Command{
		Name: "shell", Category: catRun, Usage: "upload a folder and run a program that submits a topology with it", ArgsUsage: "DIR PROGRAM [ARGUMENT]...",
		Description: "The folder goes up as a jar, under its own name: call it resources for components to find its files. The program gets the host and the port\n" +
			"of Nimbus and the place of the jar as three more arguments, for a submitTopology call in any language with Thrift.",
		Action: func(c *cli.Context) error {
			if c.NArg() < 2 {
				return usagef("shell takes a folder and a program, got %d arguments", c.NArg())
			}
			dir, err := resourcesDir("", c.Args().First(), false)
			if err != nil {
				return err
			}
			var host, port, location string
			if err := withNimbus(c, func(n *session) error {
				leader, err := n.Leader(c.Context)
				if err == nil {
					host, port, err = net.SplitHostPort(leader)
				}
				if err == nil {
					location, err = uploadFolder(c, n, dir)
				}
				return err
			}); err != nil {
				return err
			}
			args := append(c.Args().Slice()[2:], host, port, location)
			return foreground(c.Context, c, os.Environ(), c.Args().Get(1), args...)
		},
	}
}

// uploadFolder sends a folder as a jar and returns the place to submit it under.
func uploadFolder(c *cli.Context, n *session, dir string) (location string, err error) {
	files, err := openResources(dir)
	if err != nil {
		return "", err
	}
	jar, err := os.CreateTemp("", "stormshell-*.jar")
	if err != nil {
		return "", err
	}
	defer os.Remove(jar.Name())
	defer jar.Close()
	if err := zipFolder(c.Context, jar, files, filepath.Base(dir)); err != nil {
		return "", err
	}
	size, err := jar.Seek(0, io.SeekCurrent)
	if err != nil {
		return "", err
	}
	if _, err := jar.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	bar := newUploadBar(c.App.ErrWriter, "upload "+filepath.Base(dir), size)
	defer bar.end()
	return n.Upload(c.Context, jar, bar.sent)
}

// zipFolder writes files below a folder of that name.
func zipFolder(ctx context.Context, w io.Writer, files fs.FS, name string) error {
	z := zip.NewWriter(w)
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: path.Join(name, p), Method: zip.Deflate, Modified: info.ModTime()}
		h.SetMode(info.Mode())
		to, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		from, err := files.Open(p)
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(to, from)
		return err
	})
	if err != nil {
		return fmt.Errorf("pack the folder: %w", err)
	}
	return z.Close()
}
