/* As process 1: tells the console that it runs, then powers the machine off. */
	.globl _start
_start:
	movl $1, %eax		/* write(1, text, 11) */
	movl $1, %edi
	leaq text(%rip), %rsi
	movl $11, %edx
	syscall
	movl $169, %eax		/* reboot(magic, magic2, POWER_OFF) */
	movl $0xfee1dead, %edi
	movl $672274793, %esi
	movl $0x4321fedc, %edx
	syscall
1:	movl $34, %eax		/* pause() */
	syscall
	jmp 1b
	.section .rodata
text:	.ascii "BENCH-INIT\n"
	.section .note.GNU-stack,"",@progbits
