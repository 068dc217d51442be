/*
 * What tools/aramid and the guest's init say to each other on the guest's second serial port.
 *
 * The guest opens the port, makes it raw and sends GREETING; what comes before it is noise. From
 * then on both sides send frames: a type byte, the payload's length (u32, little endian), the
 * payload. The guest never gets more than WINDOW bytes (headers included) that it has not
 * acknowledged with FRAME_CREDIT, so its tty buffer cannot overrun. In the other direction
 * the emulated port's own flow control holds.
 */
#ifndef GUEST_PROTOCOL_H
#define GUEST_PROTOCOL_H

#define GREETING \
	"\n\x1e" \
	"aramid-guest-1\n"
#define WINDOW 2048 /* bytes; below the smallest tty input buffer (4096) */

/* Host to guest. */
#define FRAME_START   'S' /* u8 mode, u16 rows, u16 columns, u16 nr env, u16 nr args, strings */
#define FRAME_STDIN   'I' /* bytes; none: end of input */
#define FRAME_WINSIZE 'W' /* u16 rows, u16 columns */
#define FRAME_CLOSED  'P' /* u8 1 or 2: nobody reads COMMAND's standard output or error any more */

/* Guest to host. */
#define FRAME_STDOUT 'O'
#define FRAME_STDERR 'E'
#define FRAME_CREDIT 'C' /* u32: so many more bytes taken */
#define FRAME_LOG    'L' /* text: what init could not set up */
#define FRAME_EXIT   'X' /* u32: COMMAND's exit status, 128 + N for a signal */

/* Bits of FRAME_START's mode. */
#define MODE_TERMINAL 1 /* standard input, output and error are the pty */
#define MODE_SHELL    2 /* no COMMAND: a login shell, interactive whatever its input is */
#define MODE_CTTY     4 /* a pty as controlling terminal, but pipes as standard files */

#endif
