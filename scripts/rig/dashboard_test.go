package rig

import (
	"bufio"
	"bytes"
	"testing"
)

func TestReadMessage(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 70_000)
	in := []byte{0x81, 2, 'o', 'k', 0x89, 0, 0x81, 126, 1, 0}
	in = append(in, long[:256]...)
	in = append(in, 0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70)
	in = append(in, long...)
	in = append(in, 0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0) // more than anybody has
	r := bufio.NewReader(bytes.NewReader(in))
	for _, want := range []struct {
		opcode byte
		size   int
	}{{1, 2}, {opPing, 0}, {1, 256}, {2, 70_000}} {
		opcode, payload, err := readMessage(r)
		if err != nil || opcode != want.opcode || len(payload) != want.size {
			t.Fatalf("got opcode %d with %d bytes, %v; want %d with %d", opcode, len(payload), err, want.opcode, want.size)
		}
	}
	if _, _, err := readMessage(r); err == nil {
		t.Error("a message of 2^63 bytes was read")
	}
}
