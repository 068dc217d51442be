/* Start-up of the kernel: entry points of the boot CPU and of the others. */
#ifndef INIT_INIT_H
#define INIT_INIT_H

noreturn void kernel_main(void);
noreturn void kernel_secondary_main(void);

#endif
