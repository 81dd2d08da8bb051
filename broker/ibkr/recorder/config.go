package recorder

import (
	"errors"
	"fmt"
)

// Config bounds what is kept.
type Config struct {
	// Off records nothing. Default false.
	Off bool `koanf:"off"`
	// MaxBytes bounds the folder. Default 64 MiB: some days of one symbol's
	// ticks, or some hours of a hundred.
	MaxBytes int64 `koanf:"max_bytes"`
	// Segment bounds one file, and is what is forgotten at once; a frame that is
	// longer than it is not kept. At most half of MaxBytes. Default 8 MiB.
	Segment int64 `koanf:"segment_bytes"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{MaxBytes: 64 << 20, Segment: 8 << 20} }

const (
	minSegment = 64 << 10
	maxSegment = 64 << 20 // a reader holds one in memory
	maxBytes   = 1 << 40
	// maxFiles bounds the files beside the bytes: a trader that is started
	// again and again makes a small one each time.
	maxFiles = 256
)

// Validate returns all that is wrong with c, joined.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("recorder: "+format, a...)) }
	if c.Segment < minSegment || c.Segment > maxSegment {
		bad("segment_bytes %d is not between %d and %d", c.Segment, minSegment, maxSegment)
	}
	if c.MaxBytes > maxBytes {
		bad("max_bytes %d is more than %d", c.MaxBytes, maxBytes)
	}
	if c.MaxBytes < 2*c.Segment {
		bad("max_bytes %d is less than two segments of %d; to record nothing say recorder.off", c.MaxBytes, c.Segment)
	}
	return errors.Join(errs...)
}
