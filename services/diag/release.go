package diag

import (
	"strconv"
	"strings"

	"robotrader/broker/ibkr/wire"
)

// Release is one release of the venue's API, which TWS and IB Gateway of the
// same number speak at least.
type Release struct {
	API     string `json:"api"`
	Highest int    `json:"highest"` // server version that it knows
	// Spoken is the version that we and a gateway of this release agree on, 0
	// when there is none.
	Spoken int    `json:"spoken"`
	Means  string `json:"means"` // for us
}

// releases are those of the protocol sheet §2, oldest first.
var releases = []struct {
	api     string
	highest int
}{
	{"10.19", 176},
	{"10.30.01", 187},
	{"10.37.02", 203},
	{"10.39.01", 208},
	{"10.40.01", 215},
	{"10.41.01", 217},
	{"10.42.01", 218},
	{"10.43.02", 219},
	{"10.44.01", 222},
	{"10.45.01", 223},
	{"10.46.01", 225},
	{"10.47.01", 225},
	{"10.48.01", 225},
	{"10.50.01", 226},
	{"10.50.02", 226}, // the newest found
}

// Releases returns what is known of the venue's releases, oldest first, and
// what each means for us, who offer every version up to wire.MaxVersion.
func Releases() []Release {
	list := make([]Release, 0, len(releases))
	for _, r := range releases {
		list = append(list, Release{API: r.api, Highest: r.highest, Spoken: spoken(r.highest), Means: means(r.api, r.highest)})
	}
	return list
}

func spoken(highest int) int {
	v := min(highest, int(wire.MaxVersion))
	if !wire.Version(v).Supported() {
		return 0
	}
	return v
}

func means(api string, highest int) string {
	switch {
	case spoken(highest) == 0:
		return "too old: a handshake is refused"
	case api == "10.19": // protocol sheet §2
		return "works; the venue takes no support questions for it since 2025-03-20: install 10.30 or newer"
	case highest < int(wire.MaxVersion):
		return "works, with its own newest version"
	}
	return "works; it answers " + strconv.Itoa(int(wire.MaxVersion)) + ", the newest that we offer, in which every message is text"
}

// ReleaseOf returns the newest release that a gateway of this build has at
// least, by the first two numbers of both; ok is false for a build that says
// no number, or an older one.
func ReleaseOf(build string) (r Release, ok bool) {
	major, minor, told := number(build)
	if !told {
		return Release{}, false
	}
	for _, known := range Releases() {
		a, b, _ := number(known.API)
		if a < major || a == major && b <= minor {
			r, ok = known, true
		}
	}
	return r, ok
}

// number reads the first two numbers of "10.37.1d", and of "1037", as the
// gateway's folders are named.
func number(build string) (major, minor int, ok bool) {
	first, rest, dotted := strings.Cut(build, ".")
	if !dotted && len(first) == 4 {
		first, rest = first[:2], first[2:]
	}
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	minor, err2 := strconv.Atoi(strings.TrimRightFunc(second, func(r rune) bool { return r < '0' || r > '9' }))
	return major, minor, err == nil && err2 == nil && major >= 0 && minor >= 0
}
