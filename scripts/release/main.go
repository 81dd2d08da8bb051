// Command release packs what scripts/release.sh has built: archives, container
// images, lists of components, checksums.
//
// It promises that the same inputs give the same bytes: every list is sorted,
// every time is the release's, every owner is 0. It builds no program and
// publishes nothing.
//
// # Design
//
// The image is written from scripts/deploy/Containerfile itself, without an
// engine: what a user builds with docker or podman and what is released cannot
// drift apart, because there is one description.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: release time SECONDS | release pack --from DIR --out DIR --version V --epoch SECONDS OS/ARCH …")

func run(args []string) error {
	if len(args) == 2 && args[0] == "time" {
		at, err := epoch(args[1])
		if err != nil {
			return err
		}
		fmt.Println(at.Format(time.RFC3339))
		return nil
	}
	if len(args) == 0 || args[0] != "pack" {
		return errUsage
	}
	var p packing
	var seconds string
	fs := pflag.NewFlagSet("release", pflag.ContinueOnError)
	fs.StringVar(&p.from, "from", "", "folder with one folder a platform")
	fs.StringVar(&p.out, "out", "dist", "folder of the release")
	fs.StringVar(&p.version, "version", "", "version")
	fs.StringVar(&seconds, "epoch", "", "time of everything, in seconds")
	if err := fs.Parse(args[1:]); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if p.from == "" || p.version == "" || fs.NArg() == 0 {
		return errUsage
	}
	var err error
	if p.at, err = epoch(seconds); err != nil {
		return err
	}
	return p.all(fs.Args())
}

// epoch reads SOURCE_DATE_EPOCH.
func epoch(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, fmt.Errorf("time %.40q is not a number of seconds since 1970", text)
	}
	return time.Unix(n, 0).UTC(), nil
}
