//go:build !linux

package host

// Clock is not told by this system.
func (m *Machine) Clock() (Clock, error) { return Clock{}, nil }
