package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"robotrader/broker/ibkr/recorder"
)

// tally counts what became of the frames of one message.
type tally struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Frames  int    `json:"frames"`
	Failed  int    `json:"failed"`
	// Of those that decode: by what became of them when they were encoded again.
	SameBytes   int  `json:"same_bytes"`
	SameValues  int  `json:"same_values"`
	OtherValues int  `json:"other_values"`
	NotEncoded  int  `json:"not_encoded"`
	Leftover    int  `json:"leftover"` // with fields that the decoder does not know
	Unknown     bool `json:"unknown"`  // its number is not known
}

// failure is one frame that does not decode.
type failure struct {
	record recorder.Record
	err    string
}

// maxFailures bounds what is told one by one; what is more is counted.
const maxFailures = 1000

// checkFrames decodes what is chosen and tells what came of it. Frames are
// judged as they were recorded, and masked when they are shown.
func checkFrames(out io.Writer, src recorder.Source, f recorder.Filter, last int, mask *recorder.Masker, asJSON bool) error {
	counts := map[string]*tally{}
	var failures []failure
	failed := 0
	err := recorder.Select(src, f, last, func(r recorder.Record) error {
		if !r.Kind.Frame() {
			return nil
		}
		o := recorder.Judge(r)
		if count(counts, r, o); o.Err != nil {
			if failed++; len(failures) < maxFailures {
				failures = append(failures, failure{mask.Record(r), mask.Text(o.Err.Error())})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := printCheck(out, sorted(counts), failures, asJSON); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d frames do not decode: report them with traderctl frames --export", failed)
	}
	return nil
}

func count(counts map[string]*tally, r recorder.Record, o recorder.Outcome) {
	key := r.Kind.String() + r.Name()
	t := counts[key]
	if t == nil {
		t = &tally{Kind: r.Kind.String(), Message: r.Name()}
		counts[key] = t
	}
	t.Frames++
	if o.Leftover {
		t.Leftover++
	}
	if o.Err != nil {
		t.Failed++
		return
	}
	t.Unknown = !o.Known
	switch o.Again {
	case recorder.SameBytes:
		t.SameBytes++
	case recorder.SameValues:
		t.SameValues++
	case recorder.OtherValues:
		t.OtherValues++
	case recorder.NotEncoded:
		t.NotEncoded++
	}
}

func sorted(counts map[string]*tally) []*tally {
	all := make([]*tally, 0, len(counts))
	for _, t := range counts {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *tally) int {
		if a.Frames != b.Frames {
			return b.Frames - a.Frames
		}
		return slices.Compare([]string{a.Kind, a.Message}, []string{b.Kind, b.Message})
	})
	return all
}

func printCheck(out io.Writer, counts []*tally, failures []failure, asJSON bool) error {
	if asJSON {
		list := make([]string, 0, len(failures))
		for _, f := range failures {
			list = append(list, frameHead(f.record)+": "+f.err)
		}
		return json.NewEncoder(out).Encode(map[string]any{"messages": counts, "failures": list})
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DIR\tMESSAGE\tFRAMES\tFAILED\tSAME BYTES\tSAME VALUES\tOTHER\tNOT ENCODED\tLEFTOVER")
	for _, t := range counts {
		name := t.Message
		if t.Unknown {
			name += " (not known)"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", t.Kind, name, t.Frames, t.Failed, t.SameBytes, t.SameValues, t.OtherValues, t.NotEncoded, t.Leftover)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range failures {
		if _, err := fmt.Fprintf(out, "%s  %s\n    %s\n", frameHead(f.record), f.err, rawFields(f.record)); err != nil {
			return err
		}
	}
	return nil
}
