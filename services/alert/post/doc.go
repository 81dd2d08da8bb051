// Package post delivers messages to where a person reads them: Telegram,
// Slack, mail, ntfy and webhooks.
//
// It promises that a send ends when its context does, that it follows no
// redirect (a token is for the host that it was made for), that success means
// that the service said so, and that no error shows a part of an URL beyond
// its service and host. It does not promise that a person reads the message,
// nor delivery over the end of the process: what waits is in memory.
//
// # Design
//
// Places are named by the service URLs of shoutrrr
// (https://shoutrrr.nickfedor.com), whose grammar many tools share. It reads
// the URLs, judges them, and makes the payloads of Telegram, Slack and
// webhooks. The writing to the network is ours, because version 0.13.2 takes no
// context, waits for ever on a Telegram or webhook server that accepts and does
// not answer, takes a Telegram server that cannot be reached for success, sends
// each ntfy message under the title of the first, and follows redirects.
//
// A [Lane] is a [Target] with a queue and a goroutine. Its queue holds 32
// messages; when one more comes, the oldest is dropped and counted, because the
// newest says how it stands. What waits goes out as one message: after an
// outage a person gets a page to read, not a phone that rings for a minute.
package post

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is what a person is told.
type Message struct {
	Title string
	Text  string
	// Kind says what it is about, for webhooks that sort.
	Kind string
	// Urgent messages ring through where the service can do that.
	Urgent bool
	At     time.Time // wall time
}

// maxText bounds the text of a message in bytes: Telegram takes 4,096
// characters, ntfy 4,096 bytes before it makes an attachment of them.
const maxText = 3500

// whole is title and text as one text, for services without a title.
func (m Message) whole() string { return m.Title + "\n" + m.Text }

// cut bounds a text and leaves no half character.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	const more = " …"
	s = s[:most-len(more)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + more
}

// Joined returns several messages as one, with the first one's title.
func Joined(list []Message) Message {
	if len(list) == 1 {
		return list[0]
	}
	m := Message{Title: fmt.Sprintf("%s (and %d more)", list[0].Title, len(list)-1), Kind: list[0].Kind, At: list[0].At}
	var b strings.Builder
	for _, x := range list {
		fmt.Fprintf(&b, "%s\n%s\n\n", x.Title, x.Text)
		m.Urgent = m.Urgent || x.Urgent
		if x.Kind != m.Kind {
			m.Kind = "several"
		}
	}
	m.Text = cut(strings.TrimSpace(b.String()), maxText)
	return m
}

// ErrNotTaken means that the service refused the message, and will refuse it
// again: a token that is wrong, a chat or a topic that is not there.
var ErrNotTaken = errors.New("not taken")

// Error is why a message was not delivered. It holds no secret.
type Error struct {
	Target string        // its name
	Text   string        // plain words
	Kind   error         // ErrNotTaken, or nil: later may do
	After  time.Duration // how long the service wants to be left alone, 0 = not told
}

func (e *Error) Error() string { return e.Target + ": " + e.Text }

// Unwrap lets errors.Is see the kind.
func (e *Error) Unwrap() error { return e.Kind }
