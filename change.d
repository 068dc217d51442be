change.o: kernel/cred/change.c include/lib/types.h include/cred/cred.h \
  include/core/refcount.h include/core/rcu.h arch/include/arch/cpu.h \
  arch/x86_64/include/arch/impl/cpu.h include/lib/list.h \
  include/lib/err.h

include/lib/types.h:

include/cred/cred.h:

include/core/refcount.h:

include/core/rcu.h:

arch/include/arch/cpu.h:

arch/x86_64/include/arch/impl/cpu.h:

include/lib/list.h:

include/lib/err.h:
