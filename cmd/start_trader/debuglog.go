package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"robotrader/broker/supervisor"
)

// The bounds of broker_debug.log: it and its older files together never take
// more than 60 MB. A line takes about 2 kB; at the most attempts that the waits
// allow that is more than a week of a gateway that is down.
const (
	debugSizeMB = 10
	debugFiles  = 5
	debugQueue  = 256 // lines that wait for the disk
)

// debugLog writes one line an attempt and a session's end of the link to the
// data folder's logs/broker_debug.log, as JSON. The link never waits for it:
// lines wait in a queue, and what finds that full is left out. That, and a disk
// that does not take them, is told once until lines go through again.
//
// The library that rotates the file keeps one goroutine for it to the end of
// the process, which nobody can end: this is the only one of that kind.
type debugLog struct {
	lines chan supervisor.Record
	done  chan struct{} // closed when the goroutine has gone
	file  *lumberjack.Logger
	log   *slog.Logger

	trouble bool // of the goroutine: the newest line was not written
	full    bool // of the supervisor: the newest line found no place
}

// openDebugLog starts the writer; the file is made by its first line.
func openDebugLog(path string, log *slog.Logger) *debugLog {
	d := &debugLog{
		lines: make(chan supervisor.Record, debugQueue), done: make(chan struct{}), log: log,
		file: &lumberjack.Logger{Filename: path, MaxSize: debugSizeMB, MaxBackups: debugFiles},
	}
	go d.write()
	return d
}

// record takes a line. It has one caller at a time, the supervisor, and none
// after close.
func (d *debugLog) record(r supervisor.Record) {
	select {
	case d.lines <- r:
		d.full = false
	default:
		if !d.full {
			d.log.Warn("broker_debug_log_full", "file", d.file.Filename, "mend", "the disk of the data folder is too slow")
		}
		d.full = true
	}
}

func (d *debugLog) write() {
	defer close(d.done)
	handler := slog.NewJSONHandler(d.file, nil)
	for r := range d.lines {
		line := slog.NewRecord(time.Now(), r.Level(), r.Name(), 0)
		line.AddAttrs(r.Attrs()...)
		err := handler.Handle(context.Background(), line)
		if err != nil && !d.trouble {
			d.log.Warn("broker_debug_log_not_written", "file", d.file.Filename, "error", err,
				"mend", "free space on the disk, or let this user write there; the link goes on without")
		}
		d.trouble = err != nil
	}
}

// close writes what waits, within ctx, and closes the file.
func (d *debugLog) close(ctx context.Context) error {
	close(d.lines)
	select {
	case <-d.done:
		return d.file.Close()
	case <-ctx.Done():
		return fmt.Errorf("broker_debug.log: %d lines are not written: %w", len(d.lines), ctx.Err())
	}
}
