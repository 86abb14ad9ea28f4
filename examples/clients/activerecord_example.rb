# ActiveRecord: models from a cached query, and a model on a cached view.
require 'active_record'

ActiveRecord::Base.establish_connection(adapter: 'postgresql') # PGHOST, PGDATABASE, ..

class Payment < ActiveRecord::Base
  # $1 inside the quotes is a parameter of the cached query, ? outside is replaced by ActiveRecord.
  def self.latest(region)
    find_by_sql([<<~'SQL', region])
      SELECT * FROM cached_query_as(NULL::payments,
          'SELECT * FROM payments WHERE region = $1 ORDER BY id DESC LIMIT 2', '60s', ?)
    SQL
  end
end

# In a migration; the rights are those of who reads the view, not of its owner.
ActiveRecord::Base.connection.execute(<<~'SQL')
  CREATE OR REPLACE VIEW region_totals AS
      SELECT * FROM cached_query('SELECT region, sum(amount) FROM payments GROUP BY region', '60s')
          AS t(region text, total numeric)
SQL

class RegionTotal < ActiveRecord::Base
  self.primary_key = 'region'
end

2.times do # the second time from memory
  Payment.latest('north').each { |payment| puts "#{payment.id} #{payment.amount.to_s('F')} #{payment.paid}" }
end
# What is filtered and sorted outside of the view is not cached: both read the same result.
2.times { puts RegionTotal.where('total > 312000').order(:region).pluck(:region).join(' ') }
