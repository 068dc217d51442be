user.o: kernel/cred/user.c include/lib/types.h include/core/spinlock.h \
  arch/include/arch/cpu.h arch/x86_64/include/arch/impl/cpu.h \
  include/core/lockrank.h include/lib/atomic.h \
  include/core/spinlock_impl.h include/cred/cred.h \
  include/core/refcount.h include/core/rcu.h include/lib/list.h \
  include/kmem/slab.h include/kmem/page.h arch/include/arch/mmu.h \
  include/lib/err.h arch/x86_64/include/arch/impl/mmu.h \
  include/lib/string.h

include/lib/types.h:

include/core/spinlock.h:

arch/include/arch/cpu.h:

arch/x86_64/include/arch/impl/cpu.h:

include/core/lockrank.h:

include/lib/atomic.h:

include/core/spinlock_impl.h:

include/cred/cred.h:

include/core/refcount.h:

include/core/rcu.h:

include/lib/list.h:

include/kmem/slab.h:

include/kmem/page.h:

arch/include/arch/mmu.h:

include/lib/err.h:

arch/x86_64/include/arch/impl/mmu.h:

include/lib/string.h:
