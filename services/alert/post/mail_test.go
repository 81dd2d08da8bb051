package post

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailServer is a small SMTP server that keeps what it took.
type mailServer struct {
	net.Listener
	refuse map[string]string // command, in capitals → answer

	mu    sync.Mutex // guards what follows
	said  []string
	mails []string
	wg    sync.WaitGroup
}

func serveMail(t *testing.T, refuse map[string]string) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{Listener: l, refuse: refuse}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.wg.Wait()
	})
	return s
}

func (s *mailServer) talk(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // a test that hangs must end
	if s.refuse["CONNECT"] == "silence" {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	fmt.Fprint(c, "220 here\r\n")
	r := bufio.NewReader(c)
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return
		}
		text = strings.TrimSpace(text)
		verb, _, _ := strings.Cut(strings.ToUpper(text), " ")
		verb, _, _ = strings.Cut(verb, ":")
		s.mu.Lock()
		s.said = append(s.said, text)
		s.mu.Unlock()
		switch answer, refused := s.refuse[verb]; {
		case refused:
			fmt.Fprint(c, answer+"\r\n")
		case verb == "EHLO":
			fmt.Fprint(c, "250-here\r\n250 AUTH PLAIN CRAM-MD5\r\n")
		case verb == "AUTH":
			fmt.Fprint(c, "235 welcome\r\n")
		case verb == "DATA":
			fmt.Fprint(c, "354 go on\r\n")
			var b strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil || l == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(l, "."))
			}
			s.mu.Lock()
			s.mails = append(s.mails, b.String())
			s.mu.Unlock()
			fmt.Fprint(c, "250 taken\r\n")
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 fine\r\n")
		}
	}
}

func TestMailIsDelivered(t *testing.T) {
	s := serveMail(t, nil)
	to := target(t, "smtp://bob:hunter2@"+s.Addr().String()+"/?from=trader@example.org&fromname=Händler&to=a@example.org,b@example.org")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	m := message
	m.Title = "Märkte\r\nBcc: all@example.org"
	m.Text += "\n.\n" + strings.Repeat("long ", 60)
	if err := to.Send(ctx, nil, m); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	said := strings.Join(s.said, "\n")
	if !strings.Contains(said, "AUTH PLAIN") || strings.Count(said, "RCPT TO") != 2 || len(s.mails) != 1 {
		t.Fatalf("said:\n%s\nmails: %d", said, len(s.mails))
	}
	got, err := mail.ReadMessage(strings.NewReader(s.mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	from, errFrom := got.Header.AddressList("From")
	rcpt, errTo := got.Header.AddressList("To")
	if err != nil || errFrom != nil || errTo != nil || subject != "Märkte Bcc: all@example.org" || from[0].Name != "Händler" || len(rcpt) != 2 {
		t.Errorf("headers %v, subject %q", got.Header, subject)
	}
	if got.Header.Get("Bcc") != "" || got.Header.Get("Importance") != "high" || got.Header.Get("Message-Id") == "" {
		t.Errorf("headers %v", got.Header)
	}
	if text := strings.ReplaceAll(string(body), "\r\n", "\n"); text != m.Text+"\n" {
		t.Errorf("text %q\nwant %q", text, m.Text)
	}
}

func TestMailFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse map[string]string
		query  string
		final  bool
		says   string // "" = delivered
	}{
		"wrong password":           {map[string]string{"AUTH": "535 5.7.8 no bob:hunter2 here"}, "", true, "log-in: it answers 535"},
		"busy":                     {map[string]string{"MAIL": "451 later"}, "", false, "the sender: it answers 451 later"},
		"no recipient":             {map[string]string{"RCPT": "550 unknown"}, "", true, "a recipient: it answers 550"},
		"refused text":             {map[string]string{"DATA": "554 spam"}, "", true, "DATA: it answers 554"},
		"no STARTTLS":              {nil, "&requirestarttls=yes", true, "offers no STARTTLS"},
		"silence":                  {map[string]string{"CONNECT": "silence"}, "", false, "did not answer in time"},
		"a close without farewell": {map[string]string{"QUIT": "421 away"}, "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveMail(t, tt.refuse)
			patience := 20 * time.Second
			if tt.refuse["CONNECT"] == "silence" { // waited for to its end
				patience = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := target(t, "smtp://bob:hunter2@"+s.Addr().String()+"/?from=trader@example.org&to=a@example.org"+tt.query).Send(ctx, nil, message)
			switch {
			case tt.says == "":
				if err != nil {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, ErrNotTaken) != tt.final:
				t.Errorf("error %v (final %t)", err, errors.Is(err, ErrNotTaken))
			}
		})
	}
}
