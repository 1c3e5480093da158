# What bench/trace-text.mjs has mawk do: read every line of raw ftrace text, split it, look at each field, count and add up.
#
#     mawk -f scan.awk FILE     counts of the six kinds, sums of CPU, pid, microseconds, the pointers' lowest bytes, bytes_req,
#                               bytes_alloc, gfp bits and lengths of texts
#
# gfp flags arrive as GFP_NAMES="GFP_KERNEL 3264 …" and are remembered by their text, call sites have their size cut off.

BEGIN {
	KINDS = split("kmalloc kfree kmem_cache_alloc kmem_cache_free mm_page_alloc mm_page_free", names, " ")
	for (i = 1; i <= KINDS; i++)
		kinds[names[i] ":"] = i
	n = split(GFP_NAMES, words, " ")
	for (i = 1; i < n; i += 2)
		bits[words[i]] = words[i + 1]
	for (i = 0; i < 256; i++)
		byte[sprintf("%02x", i)] = i
}

/^#/ { next }

($5 in kinds) {
	count[kinds[$5]]++
	# The pid stands behind the last dash.
	dash = match($1, /-[0-9]+$/)
	pid += substr($1, dash + 1)
	texts += dash - 1
	cpu += substr($2, 2, 3)
	split($4, time, /[.:]/)
	micros += time[1] * 1000000 + time[2]
	for (i = 6; i <= NF; i++) {
		equals = index($i, "=")
		key = substr($i, 1, equals - 1)
		value = substr($i, equals + 1)
		if (key == "ptr" || key == "pfn") {
			low = substr("0" value, length(value))
			sub(/x/, "0", low)
			pointer += byte[low]
		} else if (key == "bytes_req") {
			req += value
		} else if (key == "bytes_alloc") {
			alloc += value
		} else if (key == "call_site") {
			slash = index(value, "/")
			texts += slash ? slash - 1 : length(value)
		} else if (key == "name") {
			texts += length(value)
		} else if (key == "gfp_flags") {
			if (!(value in flags)) {
				n = split(value, words, "|")
				for (k = 1; k <= n; k++)
					flags[value] += bits[words[k]]
			}
			gfp += flags[value]
		}
	}
}

END {
	line = ""
	for (i = 1; i <= KINDS; i++)
		line = line " " (count[i] + 0)
	printf "0%s %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f\n", line, cpu, pid, micros, pointer, req, alloc, gfp, texts
}
