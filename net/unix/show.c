/* /proc/net/unix. */
#include <lib/seq_buf.h>
#include "unix.h"
#include <unix/af_unix.h>

struct show {
	struct seq_buf *s;
	u32 bucket; /* where we are */
	u32 shown;  /* the bucket whose first socket was shown last */
};

/* Pieces end between buckets, whose numbers are the places. */
static bool piece_ends(struct show *sh)
{
	if (sh->bucket == sh->shown)
		return false;
	sh->shown = sh->bucket;
	return seq_pause(sh->s, sh->bucket);
}

static bool show_one(struct usock *u, void *arg)
{
	struct show *sh = arg;
	struct seq_buf *s = sh->s;
	const struct unix_addr *a = rcu_load(u->addr);
	u32 state = u->ustate == UNIX_CONNECTED ? 3 : 1; /* SS_CONNECTED, SS_UNCONNECTED */

	if (piece_ends(sh))
		return false;
	seq_printf(s, "%016lx: %08X %08X %08X %04X %02X %5llu", 0ul, ref_read(&u->sk.refs), 0,
		u->ustate == UNIX_LISTEN ? 0x10000u : 0u, u->sk.type, state,
		(unsigned long long)u->sk.ino);
	if (a) {
		u32 n = a->len - (u32)offsetof(struct sockaddr_un, sun_path);

		seq_printf(s, " ");
		if (a->name.sun_path[0])
			n--;
		for (u32 i = 0; i < n; i++)
			seq_printf(s, "%c",
				((const char *)a->name.sun_path)[i] ? a->name.sun_path[i] : '@');
	}
	seq_printf(s, "\n");
	return true;
}

int unix_show(struct seq_buf *s)
{
	struct show sh = {s, (u32)s->at, U32_MAX};

	if (!s->at)
		seq_printf(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	return unix_for_each(&sh.bucket, show_one, &sh);
}
