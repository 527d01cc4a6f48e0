/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that may have held a secret. */
#ifndef EXC_WIPE_H
#define EXC_WIPE_H

/* free(3), and wipes it all before. For NULL nothing. */
void wipe_free(void *memory);

/* From now on jansson wipes what it frees: private keys and tokens are texts in answers. To be called before threads are. */
void wipe_json(void);

#endif
