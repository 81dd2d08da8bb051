// Package telemetry makes the logger and holds the metrics that every part
// shares: the runtime's, the process's, the link's and the recorder's.
//
// It promises names that do not change, with units and help, below the prefix
// trader_, and that a log holds no secret that came as an attribute with a
// telling name. It does not serve HTTP and does not collect by itself: whoever
// owns a fact tells it.
package telemetry
