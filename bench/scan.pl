# What bench/trace-text.mjs has perl do: the same as scan.awk, by regular expressions.
#
#     perl scan.pl FILE "GFP_KERNEL 3264 …"
use strict;
use warnings;

my ($file, $names) = @ARGV;
my %bits = split ' ', $names;
my @kinds = qw(kmalloc kfree kmem_cache_alloc kmem_cache_free mm_page_alloc mm_page_free);
my %count = map { $_ => 0 } @kinds;
my ($cpu, $pid, $micros, $pointer, $req, $alloc, $gfp, $texts) = (0) x 8;
my %flags;

open my $in, '<', $file or die "$file: $!";
while (<$in>) {
	next unless /^ *(.+?)-(\d+) +\[(\d+)\] \S+ +(\d+)\.(\d+): (\w+): (.*)/;
	next unless exists $count{$6};
	my $fields = $7;
	$count{$6}++;
	$texts += length $1;
	$pid += $2;
	$cpu += $3;
	$micros += $4 * 1000000 + $5;
	while ($fields =~ /(\w+)=(\S+)/g) {
		my ($key, $value) = ($1, $2);
		if ($key eq 'ptr' || $key eq 'pfn') {
			$pointer += hex(substr $value, length $value > 8 ? -8 : 0) & 0xff;
		} elsif ($key eq 'bytes_req') {
			$req += $value;
		} elsif ($key eq 'bytes_alloc') {
			$alloc += $value;
		} elsif ($key eq 'call_site') {
			my $slash = index $value, '/';
			$texts += $slash < 0 ? length $value : $slash;
		} elsif ($key eq 'name') {
			$texts += length $value;
		} elsif ($key eq 'gfp_flags') {
			$gfp += $flags{$value} //= do {
				my $sum = 0;
				$sum |= $bits{$_} // 0 for split /\|/, $value;
				$sum;
			};
		}
	}
}
printf "0 %s\n", join ' ', @count{@kinds}, $cpu, $pid, $micros, $pointer, $req, $alloc, $gfp, $texts;
