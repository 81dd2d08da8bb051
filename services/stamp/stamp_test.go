package stamp

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// What the linker said wins over what Go recorded, and nothing is invented.
func TestStamp(t *testing.T) {
	recorded := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
		{Key: "vcs.time", Value: "2026-11-29T10:00:00Z"},
		{Key: "vcs.modified", Value: "true"},
	}
	for _, tt := range []struct {
		name     string
		stamp    Stamp
		settings []debug.BuildSetting
		short    string
		line     string
	}{
		{"a release", Stamp{Version: "v1.2.3", Commit: "abc", Built: "2026-01-02T03:04:05Z"}, nil, "v1.2.3", "v1.2.3, commit abc, built 2026-01-02T03:04:05Z, "},
		{"a checkout", Stamp{Version: "dev"}, recorded, "0123456789ab", "dev, commit 0123456789abcdef0123456789abcdef01234567 with changes, built 2026-11-29T10:00:00Z, "},
		{"both", Stamp{Version: "v1", Commit: "fff", Built: "2025-01-01T00:00:00Z"}, recorded[:2], "v1", "v1, commit fff, built 2025-01-01T00:00:00Z, "},
		{"neither", Stamp{Version: "dev"}, nil, "dev", "dev, commit unknown, built at an unknown time, "},
	} {
		s := tt.stamp
		s.fill(tt.settings)
		if s.Short() != tt.short || !strings.HasPrefix(s.String(), tt.line) {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, s.Short(), s.String(), tt.short, tt.line)
		}
	}
	if s := Read(); s.Version != "dev" || s.Go != runtime.Version() {
		t.Errorf("a test binary says %+v", s)
	}
}
