account.o: kernel/vm/account.c include/lib/types.h include/cred/cred.h \
  include/core/refcount.h include/core/rcu.h arch/include/arch/cpu.h \
  arch/x86_64/include/arch/impl/cpu.h include/lib/list.h kernel/vm/vm.h \
  include/kmem/page.h include/lib/atomic.h arch/include/arch/mmu.h \
  include/lib/err.h arch/x86_64/include/arch/impl/mmu.h \
  include/kmem/slab.h include/core/log.h include/vm/mm.h \
  include/lib/rbtree.h include/vm/object.h include/lib/xarray.h \
  include/lib/itree.h include/sched/mutex.h include/sched/wait.h \
  include/sched/thread.h arch/include/arch/thread.h \
  arch/x86_64/include/arch/impl/thread.h include/core/spinlock.h \
  include/core/lockrank.h include/core/spinlock_impl.h include/vm/iter.h \
  arch/include/arch/uaccess.h arch/x86_64/include/arch/impl/uaccess.h \
  kernel/vm/pt.h kernel/vm/gather.h

include/lib/types.h:

include/cred/cred.h:

include/core/refcount.h:

include/core/rcu.h:

arch/include/arch/cpu.h:

arch/x86_64/include/arch/impl/cpu.h:

include/lib/list.h:

kernel/vm/vm.h:

include/kmem/page.h:

include/lib/atomic.h:

arch/include/arch/mmu.h:

include/lib/err.h:

arch/x86_64/include/arch/impl/mmu.h:

include/kmem/slab.h:

include/core/log.h:

include/vm/mm.h:

include/lib/rbtree.h:

include/vm/object.h:

include/lib/xarray.h:

include/lib/itree.h:

include/sched/mutex.h:

include/sched/wait.h:

include/sched/thread.h:

arch/include/arch/thread.h:

arch/x86_64/include/arch/impl/thread.h:

include/core/spinlock.h:

include/core/lockrank.h:

include/core/spinlock_impl.h:

include/vm/iter.h:

arch/include/arch/uaccess.h:

arch/x86_64/include/arch/impl/uaccess.h:

kernel/vm/pt.h:

kernel/vm/gather.h:
