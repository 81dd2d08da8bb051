// Package stamp tells what a program was built from: version, commit and build
// time.
//
// It promises one answer for all programs and places: what the release script
// stamped into the binary, else what Go's own build recorded of the checkout,
// else that it is not known. It does not promise that a build without the script
// can be made again byte for byte.
//
// # Design
//
// The three variables are the linker's to set (scripts/release.sh, -X), which
// needs package variables; nothing else writes them.
package stamp

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// Set by the linker, "" in an ordinary build.
var (
	version string // such as v0.3.0
	commit  string // the whole hash
	built   string // RFC 3339
)

// Stamp is what a binary was built from. An empty text is not known.
type Stamp struct {
	Version  string `json:"version"` // "dev" for an ordinary build
	Commit   string `json:"commit"`  // the whole hash
	Built    string `json:"built"`   // RFC 3339: the commit's time, or what the release was told
	Dirty    bool   `json:"dirty"`   // the checkout had changes that are in no commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read returns the stamp of this program.
func Read() Stamp {
	s := Stamp{Version: version, Commit: commit, Built: built, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		s.fill(info.Settings)
	}
	s.Version = cmp.Or(s.Version, "dev")
	return s
}

// fill takes what the linker did not say from Go's own record.
func (s *Stamp) fill(settings []debug.BuildSetting) {
	for _, b := range settings {
		switch b.Key {
		case "vcs.revision":
			s.Commit = cmp.Or(s.Commit, b.Value)
		case "vcs.time":
			s.Built = cmp.Or(s.Built, b.Value)
		case "vcs.modified":
			s.Dirty = b.Value == "true"
		}
	}
}

// Short names the build in records and messages: the version of a release, else
// the first 12 letters of the commit, else "dev".
func (s Stamp) Short() string {
	if s.Version != "dev" || len(s.Commit) < 12 {
		return s.Version
	}
	return s.Commit[:12]
}

// String is the line that --version prints.
func (s Stamp) String() string {
	at := "at an unknown time"
	if t, err := time.Parse(time.RFC3339, s.Built); err == nil {
		at = t.UTC().Format(time.RFC3339)
	}
	dirty := ""
	if s.Dirty {
		dirty = " with changes"
	}
	return fmt.Sprintf("%s, commit %s%s, built %s, %s, %s", s.Version, cmp.Or(s.Commit, "unknown"), dirty, at, s.Go, s.Platform)
}
