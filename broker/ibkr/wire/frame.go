package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxFrame is the longest payload of a frame, in bytes. Official clients treat
// a longer length as a broken stream (error 507). Protocol sheet, section 1.1.
const MaxFrame = 16<<20 - 1

// headerLen is the length prefix of a frame: an unsigned 32-bit big-endian
// number that does not count itself.
const headerLen = 4

// firstChunk is what ReadFrame allocates before a byte of a long payload has
// come, so that a length alone costs nobody 16 MiB.
const firstChunk = 64 << 10

var (
	// ErrFrameEmpty means a frame of length 0, which the protocol does not
	// have: the stream is not, or no longer, in step.
	ErrFrameEmpty = errors.New("wire: frame of length 0")
	// ErrFrameTooLong means a length above [MaxFrame]. The stream cannot be
	// trusted afterwards; close it.
	ErrFrameTooLong = errors.New("wire: frame too long")
)

// ReadFrame reads one frame from r and returns its payload. The payload lies
// in buf where it fits, so it is good until buf is used again; pass the
// returned slice to the next call. A bufio.Reader makes it cheap.
//
// The end of the stream between two frames is io.EOF, inside one it is
// io.ErrUnexpectedEOF. Memory grows with the bytes that came, not with the
// length announced.
func ReadFrame(r io.Reader, buf []byte) ([]byte, error) {
	if cap(buf) < headerLen {
		buf = make([]byte, 0, 512)
	}
	head := buf[:headerLen] // in buf, because an array of ours would escape to the heap
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if err := checkLen(uint64(size)); err != nil {
		return nil, err
	}
	buf = buf[:0]
	for n := int(size); len(buf) < n; {
		if len(buf) == cap(buf) || len(buf) == 0 && cap(buf) < min(n, firstChunk) {
			buf = append(make([]byte, 0, min(n, max(firstChunk, 2*len(buf)))), buf...)
		}
		part := buf[len(buf):min(n, cap(buf))]
		got, err := io.ReadFull(r, part)
		buf = buf[:len(buf)+got]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func checkLen(n uint64) error {
	switch {
	case n == 0:
		return ErrFrameEmpty
	case n > MaxFrame:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLong, n, MaxFrame)
	}
	return nil
}

// AppendFrame appends payload as one frame. It panics when payload is empty or
// longer than [MaxFrame], which is a fault of the caller; [EndFrame] returns
// that as an error instead.
func AppendFrame(dst, payload []byte) []byte {
	if err := checkLen(uint64(len(payload))); err != nil {
		panic(err)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...)
}

// BeginFrame appends room for a length prefix and returns the mark that
// [EndFrame] needs. What is appended between the two is the payload.
func BeginFrame(dst []byte) (grown []byte, mark int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}

// EndFrame writes the length of what was appended since the [BeginFrame] that
// returned mark. On an error dst comes back as it was before BeginFrame.
func EndFrame(dst []byte, mark int) ([]byte, error) {
	n := len(dst) - mark - headerLen
	if err := checkLen(uint64(n)); err != nil {
		return dst[:mark], err
	}
	binary.BigEndian.PutUint32(dst[mark:], uint32(n))
	return dst, nil
}

// AppendMessage appends m as one whole frame, built in place. On an error dst
// comes back as it was.
func AppendMessage(dst []byte, m Message, v Version) ([]byte, error) {
	grown, mark := BeginFrame(dst)
	grown, err := m.Append(grown, v)
	if err != nil {
		return dst, err
	}
	return EndFrame(grown, mark)
}
