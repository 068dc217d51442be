/* Mistakes on purpose, for the tests of DEBUG's checks. */
#ifndef KMEM_FAULTS_H
#define KMEM_FAULTS_H

/* Panics in the kinds that there are; -EINVAL: an unknown one. Returns 0 where nothing noticed. */
int kmem_make_fault(const char *kind) must_check;

#endif
