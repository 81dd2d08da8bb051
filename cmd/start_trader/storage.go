package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"robotrader/broker"
	"robotrader/services/bus"
	"robotrader/services/event"
	"robotrader/services/health"
	"robotrader/services/journal"
	"robotrader/services/telemetry"
)

// watchStopWithin bounds the end of the journal's watch, which waits for
// nothing.
const watchStopWithin = time.Second

// journalTrouble names the journal as a component.
const journalTrouble = "journal"

type storageIn struct {
	fx.In
	Journal  *journal.Journal
	Registry *health.Registry
	Metrics  *telemetry.Metrics
	Conn     *bus.Conn `name:"health"`
	Log      *slog.Logger
	Life     fx.Lifecycle
}

// storage tells of a journal that takes nothing: readiness, metrics, the log
// and the list of events. The page has it from the desk's health.
func storage(in storageIn) {
	in.Metrics.Journal(in.Journal.Trouble)
	in.Registry.Report(journalTrouble, "")
	w := journal.NewWatch(in.Journal.Trouble, in.tell)
	in.Life.Append(fx.StartStopHook(w.Start, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, watchStopWithin)
		defer cancel()
		return w.Stop(ctx)
	}))
}

// tell is told of each change.
func (in storageIn) tell(f *broker.JournalFailure) {
	in.Registry.Report(journalTrouble, storageText(f))
	n := event.NoticeText{Level: "info", Source: journalTrouble, Name: "journal_works", Text: "the journal works again: entries may go out"}
	if f == nil {
		in.Log.Info(n.Name)
	} else {
		n = event.NoticeText{Level: "error", Source: journalTrouble, Name: "journal_stopped", Text: storageText(f)}
		in.Log.Error(n.Name, "kind", f.Kind, "since", f.Since, "error", f.Cause, "advice", f.Advice, "mends", f.Mends)
	}
	if err := bus.Publish(in.Conn, event.Notice, n); err != nil {
		in.Log.Warn("journal_not_published", "error", err)
	}
}

// storageText is a failure in a sentence, "" for none.
func storageText(f *broker.JournalFailure) string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf("entries stop: the journal takes nothing since %s (%s); %s", f.Since.Format(time.RFC3339), f.Cause, f.Advice)
}
