object.o: kernel/vm/object.c include/lib/types.h include/lib/string.h \
  include/core/log.h include/sched/wait.h include/sched/thread.h \
  include/lib/list.h include/lib/rbtree.h include/lib/atomic.h \
  include/lib/err.h arch/include/arch/thread.h \
  arch/x86_64/include/arch/impl/thread.h include/core/refcount.h \
  include/core/rcu.h arch/include/arch/cpu.h \
  arch/x86_64/include/arch/impl/cpu.h include/core/spinlock.h \
  include/core/lockrank.h include/core/spinlock_impl.h kernel/vm/vm.h \
  include/kmem/page.h arch/include/arch/mmu.h \
  arch/x86_64/include/arch/impl/mmu.h include/kmem/slab.h \
  include/vm/mm.h include/vm/object.h include/lib/xarray.h \
  include/lib/itree.h include/sched/mutex.h include/vm/iter.h \
  arch/include/arch/uaccess.h arch/x86_64/include/arch/impl/uaccess.h \
  kernel/vm/pt.h kernel/vm/gather.h kernel/vm/cache.h

include/lib/types.h:

include/lib/string.h:

include/core/log.h:

include/sched/wait.h:

include/sched/thread.h:

include/lib/list.h:

include/lib/rbtree.h:

include/lib/atomic.h:

include/lib/err.h:

arch/include/arch/thread.h:

arch/x86_64/include/arch/impl/thread.h:

include/core/refcount.h:

include/core/rcu.h:

arch/include/arch/cpu.h:

arch/x86_64/include/arch/impl/cpu.h:

include/core/spinlock.h:

include/core/lockrank.h:

include/core/spinlock_impl.h:

kernel/vm/vm.h:

include/kmem/page.h:

arch/include/arch/mmu.h:

arch/x86_64/include/arch/impl/mmu.h:

include/kmem/slab.h:

include/vm/mm.h:

include/vm/object.h:

include/lib/xarray.h:

include/lib/itree.h:

include/sched/mutex.h:

include/vm/iter.h:

arch/include/arch/uaccess.h:

arch/x86_64/include/arch/impl/uaccess.h:

kernel/vm/pt.h:

kernel/vm/gather.h:

kernel/vm/cache.h:
