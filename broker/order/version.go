package order

import (
	"strconv"
	"strings"
)

// ExecVersion splits an execution id into what all versions of one execution
// have in common and the version: a venue corrects an execution by telling it
// again under an id that differs only in the two digits after the last period,
// 01, 02 and so on (protocol sheet, section 6). An id of another form is its
// own stem, in version 0.
func ExecVersion(id string) (stem string, version int) {
	dot := strings.LastIndexByte(id, '.')
	if dot < 0 || len(id)-dot-1 != 2 {
		return id, 0
	}
	version, err := strconv.Atoi(id[dot+1:])
	if err != nil || version <= 0 {
		return id, 0
	}
	return id[:dot+1], version
}

// SameExecution reports whether both ids are of one execution, in whatever
// version.
func SameExecution(a, b string) bool {
	if a == b {
		return true
	}
	as, av := ExecVersion(a)
	bs, bv := ExecVersion(b)
	return as == bs && av > 0 && bv > 0
}

// Newest returns the fills without those that a later version in the list
// replaces, in their order. One that was taken back stays, with quantity 0.
func Newest(fills []Fill) []Fill {
	newest := map[string]int{}
	for _, f := range fills {
		stem, v := ExecVersion(f.ExecID)
		newest[stem] = max(newest[stem], v)
	}
	list := make([]Fill, 0, len(fills))
	for _, f := range fills {
		if stem, v := ExecVersion(f.ExecID); v == newest[stem] {
			list = append(list, f)
		}
	}
	return list
}
