package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReadFrame(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 3*firstChunk+17)
	stream := AppendFrame(AppendFrame(AppendFrame(nil, []byte("9\x001\x001\x00")), big), []byte("62\x001\x00"))
	readers := map[string]io.Reader{
		"whole":   bytes.NewReader(stream),
		"bytes":   iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":  iotest.HalfReader(bytes.NewReader(stream)),
		"eof":     iotest.DataErrReader(bytes.NewReader(stream)),
		"buffer":  bufio.NewReader(bytes.NewReader(stream)),
		"buffer1": bufio.NewReader(iotest.OneByteReader(bytes.NewReader(stream))),
	}
	for name, r := range readers {
		t.Run(name, func(t *testing.T) {
			var buf []byte
			for i, want := range [][]byte{[]byte("9\x001\x001\x00"), big, []byte("62\x001\x00")} {
				got, err := ReadFrame(r, buf)
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("frame %d: got %d bytes, want %d", i, len(got), len(want))
				}
				buf = got
			}
			if _, err := ReadFrame(r, buf); !errors.Is(err, io.EOF) {
				t.Fatalf("after the last frame: %v, want EOF", err)
			}
		})
	}
}

func TestReadFrameRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", io.EOF},
		{"part of a length", "\x00\x00", io.ErrUnexpectedEOF},
		{"length 0", "\x00\x00\x00\x00", ErrFrameEmpty},
		{"length 16 MiB", "\x01\x00\x00\x00", ErrFrameTooLong},
		{"length of garbage", "HTTP/1.1", ErrFrameTooLong},
		{"no payload", "\x00\x00\x00\x05", io.ErrUnexpectedEOF},
		{"part of a payload", "\x00\x00\x00\x05abc", io.ErrUnexpectedEOF},
		{"part of the longest", "\x00\xff\xff\xffabc", io.ErrUnexpectedEOF},
	} {
		if got, err := ReadFrame(bytes.NewReader([]byte(tt.in)), nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %q, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

// greed remembers the most that was asked for in one read.
type greed struct {
	r    io.Reader
	most int
}

func (g *greed) Read(p []byte) (int, error) {
	g.most = max(g.most, len(p))
	return g.r.Read(p)
}

func TestReadFrameDoesNotTrustLength(t *testing.T) {
	g := &greed{r: bytes.NewReader([]byte("\x00\xff\xff\xffonly this"))}
	if _, err := ReadFrame(g, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if g.most > firstChunk {
		t.Errorf("made room for %d bytes before they came, want at most %d", g.most, firstChunk)
	}
}

func TestReadFrameReusesBuffer(t *testing.T) {
	frame := AppendFrame(nil, []byte("1\x006\x001001\x0068\x00255.45\x00200\x000\x00"))
	r := bytes.NewReader(nil)
	buf := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset(frame)
		var err error
		if buf, err = ReadFrame(r, buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}

func TestEndFrame(t *testing.T) {
	dst, mark := BeginFrame([]byte("before"))
	if _, err := EndFrame(dst, mark); !errors.Is(err, ErrFrameEmpty) {
		t.Errorf("empty payload: %v", err)
	}
	dst = append(dst, "abc"...)
	got, err := EndFrame(dst, mark)
	if want := "before\x00\x00\x00\x03abc"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	dst, mark = BeginFrame(nil)
	if got, err := EndFrame(append(dst, make([]byte, MaxFrame+1)...), mark); !errors.Is(err, ErrFrameTooLong) || len(got) != 0 {
		t.Errorf("too long: %d bytes, %v", len(got), err)
	}
}

func TestAppendMessage(t *testing.T) {
	// Section 1.4: the frame for client 1, as seen live.
	got, err := AppendMessage([]byte("x"), StartAPI{ClientID: 1}, 200)
	if want := "x\x00\x00\x00\x0871\x002\x001\x00\x00"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	got, err = AppendMessage([]byte("x"), StartAPI{Capabilities: "é"}, 200)
	if !errors.Is(err, ErrText) || string(got) != "x" {
		t.Errorf("got %q, %v, want what was there and ErrText", got, err)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0871\x002\x001\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add([]byte("\x00\xff\xff\xff"))
	f.Add([]byte("API\x00\x00\x00\x00\x09v100..200"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := ReadFrame(bytes.NewReader(in), nil)
		if err == nil && !bytes.Equal(AppendFrame(nil, got), in[:4+len(got)]) {
			t.Fatalf("read %q from %q", got, in)
		}
		if h, n, err := ParseHello(in); err == nil {
			again, err := h.Append(nil)
			if err != nil {
				t.Fatalf("%+v from %q: %v", h, in[:n], err)
			}
			if h2, _, err := ParseHello(again); err != nil || h2 != h {
				t.Fatalf("%+v came back as %+v, %v", h, h2, err)
			}
		}
		if h, err := ParseServerHello(in); err == nil {
			again, err := h.Append(nil)
			if err != nil {
				t.Fatalf("%+v from %q: %v", h, in, err)
			}
			if h2, err := ParseServerHello(again); err != nil || h2 != h {
				t.Fatalf("%+v came back as %+v, %v", h, h2, err)
			}
		}
	})
}
