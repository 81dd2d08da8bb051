// Package host reads what the kernel of this machine tells about sockets and
// processes: who listens where a gateway should be, in which states its
// connections are, and which process it is.
//
// It promises that it never connects to anything but a name server, and that
// it touches no process: it reads tables. Every question ends with its
// context, and [Machine.Listener] after a second, the others after four; but for
// the reading of a table that is under way. What cannot be read is told as such, with the reason, and is
// never a guess. It does not promise that a table is complete: the kernel
// shows other users' sockets, but not always whose process they are, and it
// shows nothing of another network namespace.
//
// # Design
//
// To learn whether a port is open by connecting to it is what hangs a gateway:
// a connection that does not speak stays in it as CLOSE_WAIT. So the port's
// entry in the kernel's table is read instead. On Linux that is /proc/net/tcp
// and tcp6, which hold the inode, the owner and the queue of a listening
// socket. Elsewhere gopsutil asks the system's own tools, which tell the
// process and no inode.
//
// [Machine.Listener] is asked once a second while a link waits for a gateway to
// change. It costs the kernel a walk over its hash table, measured as 10 ms even
// where few sockets are in it (BenchmarkListener). Whose socket an inode is
// costs a walk over every process, so it is remembered: a socket keeps its inode
// for life. The start of a process is remembered too, because the kernel counts
// it from the boot and the boot's time of day moves with the clock: the same
// process must never look like another one.
//
// A listener that only passes bytes on (socat, docker-proxy, ssh) says nothing
// of the gateway behind it: it listens on when the gateway is gone. Then
// nothing is readable. A port that is published without such a process, by the
// kernel's own address translation, is recognised by connections to it that
// have no other end here.
//
// Of command lines only what tells a version is ever kept: they can hold
// passwords.
package host
