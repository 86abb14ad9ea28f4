# META.json keeps the rules of PGXN's specification 1.0.0, and says what the control file and the repository say.

use strict;
use warnings;
use FindBin;

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $meta = JSON::PP->new->utf8->decode(slurp_file("$root/META.json"));
my ($version) = slurp_file("$root/control/cached_query.control") =~ /^default_version *= *'([^']+)'/m;

# Semantic versions have three numbers; a range has operators and commas.
my $semver = qr/(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-?[A-Za-z][0-9A-Za-z-]*)?/;
my $range = qr/(?:(?:[<>]=?|[!=]=) *)?(?:$semver|0)/;
my $term = qr/[^\s\/\\\0-\x1f\x7f]{2,}/;
my @keys = qw(abstract description generated_by license maintainer meta-spec name no_index prereqs provides
  release_status resources tags version);
my @licenses = qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3
  lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib open_source
  restricted unrestricted unknown);

sub one_of { my ($value, @values) = @_; return scalar grep { $_ eq $value } @values; }

# A string, or a list of strings, none of them empty.
sub is_text { return defined $_[0] && !ref $_[0] && $_[0] =~ /\S/; }
sub is_texts { return ref $_[0] eq 'ARRAY' ? @{ $_[0] } && !grep { !is_text($_) } @{ $_[0] } : is_text($_[0]); }

ok(is_text($meta->{$_}), "$_ is there") foreach qw(name version abstract);
ok(is_texts($meta->{maintainer}), 'maintainer is there');
is_deeply([ grep { !one_of($_, @keys) && !/^x_/i } keys %$meta ], [], 'no other keys than those of the specification');
like($meta->{name}, qr/^$term$/, 'name is a term');
like($meta->{version}, qr/^$semver$/, 'version is a semantic version');
ok(one_of($meta->{license}, @licenses), 'license is one of the list');
ok(one_of($meta->{release_status} // 'stable', qw(stable testing unstable)), 'release_status is one of the list');
is_deeply([ $meta->{'meta-spec'}{version}, $meta->{'meta-spec'}{url} ], [ '1.0.0', 'https://pgxn.org/meta/spec.txt' ], 'meta-spec');
ok(is_text($meta->{description}), 'description') if exists $meta->{description};
is_deeply([ grep { !is_text($_) || /[\/\\[:cntrl:]]/ || length > 255 } @{ $meta->{tags} } ], [], 'tags');

ok(scalar keys %{ $meta->{provides} }, 'something is provided');
foreach my $name (sort keys %{ $meta->{provides} })
{
	my $provided = $meta->{provides}{$name};

	like($name, qr/^$term$/, "$name: a term");
	like($provided->{version} // '', qr/^$semver$/, "$name: version");
	is($provided->{version}, $version, "$name: the version of the control file");
	ok(-e "$root/" . ($provided->{file} // '?'), "$name: file is there");
	ok(-e "$root/$provided->{docfile}", "$name: docfile is there") if exists $provided->{docfile};
	ok(is_text($provided->{abstract}), "$name: abstract") if exists $provided->{abstract};
	is_deeply([ grep { !one_of($_, qw(file version abstract docfile)) && !/^x_/i } keys %$provided ], [], "$name: no other keys");
}
is($meta->{version}, $version, 'the version of the control file');

foreach my $phase (sort keys %{ $meta->{prereqs} // {} })
{
	my $relations = $meta->{prereqs}{$phase};

	ok(one_of($phase, qw(configure build test runtime develop)), "prereqs: phase $phase");
	foreach my $relation (sort keys %$relations)
	{
		ok(one_of($relation, qw(requires recommends suggests conflicts)), "prereqs: $phase $relation");
		like($relations->{$relation}{$_}, qr/^$range(?: *, *$range)*$/, "prereqs: range of $_")
		  foreach sort keys %{ $relations->{$relation} };
	}
}
foreach my $url (map { ref $_ ? values %$_ : $_ } values %{ $meta->{resources} // {} })
{
	like($url, qr/^(?:https?|git|svn|mailto):|@|^(?:git|svn|hg)$/, "resources: $url");
}

# What the build needs is among the files.
ok(-e "$root/$_", "$_ is there") foreach qw(README.md LICENSE Makefile control/cached_query.control);
done_testing();
