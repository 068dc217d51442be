iter.o: kernel/vm/iter.c include/lib/types.h include/lib/string.h \
  include/kmem/slab.h include/kmem/page.h include/lib/list.h \
  include/lib/atomic.h arch/include/arch/mmu.h include/lib/err.h \
  arch/include/arch/cpu.h arch/x86_64/include/arch/impl/cpu.h \
  arch/x86_64/include/arch/impl/mmu.h include/vm/iter.h \
  arch/include/arch/uaccess.h arch/x86_64/include/arch/impl/uaccess.h

include/lib/types.h:

include/lib/string.h:

include/kmem/slab.h:

include/kmem/page.h:

include/lib/list.h:

include/lib/atomic.h:

arch/include/arch/mmu.h:

include/lib/err.h:

arch/include/arch/cpu.h:

arch/x86_64/include/arch/impl/cpu.h:

arch/x86_64/include/arch/impl/mmu.h:

include/vm/iter.h:

arch/include/arch/uaccess.h:

arch/x86_64/include/arch/impl/uaccess.h:
