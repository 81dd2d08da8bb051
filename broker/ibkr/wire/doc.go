// Package wire turns the bytes of the TWS socket protocol into values and
// back, and does nothing else: no sockets, goroutines, clocks or logs. It
// speaks server versions 176 to 200, where every message is text. Both
// directions are here, so that a client and a simulated gateway share one
// codec.
//
// It promises that a decoded number is the number that was sent: quantities and
// a client's amounts are exact, and what cannot be held is an error that names
// message, field and value ([FieldError]). Only prices, the amounts that a venue
// tells, and the sizes of its market data are rounded, to the last decimal that
// we hold: both sides compute them with doubles, and up to eight decimals that
// changes nothing. What is encoded is exact. It promises that no bytes make it
// panic or allocate more than a small multiple of their length, and that an
// encoder writes nothing that the other side's decoder would refuse. It does
// not promise that a message makes sense: that a price is near the market, that
// an id is known. If a frame does not decode, the venue or the protocol sheet
// is at fault, and the frame can be skipped: the length prefix still leads to
// the next one.
//
// # Design
//
// A frame (frame.go) is a length and a payload. A payload is fields, each
// ended by a NUL (field.go reads them, writer.go writes them), the first one
// being the message's id. The layout depends on the version agreed on
// (version.go). One table a direction leads from the id to the decoder
// (table.go); each message has its struct, its decoder (read) and its encoder
// (Append) side by side in the file of its family, or one layout for both
// directions (walk.go) where that is long or has conditions. An id that we do
// not know is an [Unknown], not an error: a newer gateway may say more than we
// understand. Fields after the last one that we know are ignored for the same
// reason; the strict decoders are for tests. Unknown so far are scanners, news
// but for bulletins, fundamentals, histograms, display groups, financial
// advisors' configuration, exercise of options, option calculators and the
// calendar of events.
//
// Reader and writer keep their first error, so a layout reads as a list of
// its fields. "Unset" has many spellings on this wire; all are decoded as nil,
// and nil is written as the empty field, or as the literal where a gateway does
// so. NaN and infinity from a venue are unset, too, but where infinity means
// something ([PlaceOrder.CompeteAgainstBestOffset], [TickGeneric.Value]).
//
// Section numbers in comments are those of the protocol sheet.
package wire
