//go:build !race

package journal

// racing says that the race detector watches.
const racing = false
