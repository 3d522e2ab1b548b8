# SPDX-License-Identifier: BSD-2-Clause
# summary.tsv as Markdown: for each table, policies down, settings across; p99 in ms with its interval.
BEGIN { FS = "\t" }
function ms(x) { return x >= 1e8 ? "diverges" : x >= 99.5 ? sprintf("%.0f", x) : sprintf("%.1f", x) }
{
	column = sprintf("%g %%", $3 * 100)
	if ($1 ~ /^m-/)
		column = $4 " balancers"
	if ($1 ~ /^age-/)
		column = column ", " $5 " ms"
	if ($1 ~ /^keep-/)
		column = $6 " requests, " $4 " balancers"
	if (!(($1, column) in columns)) {
		columns[$1, column] = 1
		list[$1, ++nr_columns[$1]] = column
	}
	if (!(($1, $2) in policies)) {
		policies[$1, $2] = 1
		names[$1, ++nr_policies[$1]] = $2
	}
	if (!($1 in tables)) {
		tables[$1] = 1
		order[++nr_tables] = $1
	}
	cell[$1, $2, column] = ms($10) ($10 < 1e8 ? " (" ms($11) "-" ms($12) ")" : "")
	if ($1 ~ /^add-/)
		cell[$1, $2, column] = cell[$1, $2, column] ", after a pod came " ms($14)
}
END {
	for (t = 1; t <= nr_tables; t++) {
		table = order[t]
		printf "\n### %s: p99 in ms (95 %% interval over seeds)\n\n| policy |", table
		for (c = 1; c <= nr_columns[table]; c++)
			printf " %s |", list[table, c]
		printf "\n|---|"
		for (c = 1; c <= nr_columns[table]; c++)
			printf "---|"
		printf "\n"
		for (p = 1; p <= nr_policies[table]; p++) {
			printf "| %s |", names[table, p]
			for (c = 1; c <= nr_columns[table]; c++)
				printf " %s |", cell[table, names[table, p], list[table, c]]
			printf "\n"
		}
	}
}
