//go:build crashpoints

package crash

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// place and nth are what CRASH_AT says. A number that is none is 0, which
// never comes.
var place, nth = func() (string, int64) {
	name, number, _ := strings.Cut(os.Getenv("CRASH_AT"), ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return "", 0
	}
	return name, n
}()

var come atomic.Int64

// At kills the process when it has come to name as often as planned. It does
// not return then.
func At(name string) {
	if name != place || come.Add(1) != nth {
		return
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		os.Exit(137) // as the shell calls a killed process
	}
	select {} // the signal is on its way
}
