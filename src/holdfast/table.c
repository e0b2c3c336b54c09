/* SPDX-License-Identifier: BSD-3-Clause */
/* Aligned columns for people. Knows nothing of what is in them. */
#include "tool.h"

#include <stdarg.h>
#include <stdlib.h>

#define COLUMNS_MAX 12

struct table {
	unsigned columns, cells, room;
	bool right[COLUMNS_MAX];
	char **cell;
};

/* Columns on a terminal: UTF-8 continuation bytes take none. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void table_cell(struct table *t, const char *text)
{
	char *copy = strdup(text && *text ? text : "-");

	if (t->cells == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->cell = realloc(t->cell, t->room * sizeof(*t->cell));
	}
	hf_assert(copy && t->cell);
	/* Names come from hosts: no control character of theirs reaches the terminal. */
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	t->cell[t->cells++] = copy;
}

void table_cellf(struct table *t, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_cell(t, text);
}

struct table *table_create(const char *titles)
{
	struct table *t = calloc(1, sizeof(*t));
	char copy[256], *rest = copy, *title;

	hf_assert(t && strlen(titles) < sizeof(copy));
	strcpy(copy, titles);
	while ((title = strsep(&rest, "|"))) {
		hf_assert(t->columns < COLUMNS_MAX);
		t->right[t->columns++] = *title == '>';
		table_cell(t, title + (*title == '>'));
	}
	return t;
}

void table_print_and_destroy(struct table *t, FILE *to)
{
	int widths[COLUMNS_MAX] = {0};

	hf_assert(t->cells % t->columns == 0);
	for (unsigned i = 0; i < t->cells; i++)
		widths[i % t->columns] = HF_MAX(widths[i % t->columns], width(t->cell[i]));
	for (unsigned i = 0; i < t->cells; i++) {
		unsigned column = i % t->columns;
		bool last = column + 1 == t->columns;
		int pad = widths[column] - width(t->cell[i]);

		if (t->right[column])
			fprintf(to, "%*s%s", pad, "", t->cell[i]);
		else
			fprintf(to, "%s%*s", t->cell[i], last ? 0 : pad, "");
		fputs(last ? "\n" : "  ", to);
		free(t->cell[i]);
	}
	free(t->cell);
	free(t);
}
