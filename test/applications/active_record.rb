#!/usr/bin/env ruby
# active_record.rb - what a Rails page asks for, by a role with cached_query.auto and by one without
#
#   active_record.rb SOCKET-DIRECTORY [ROUNDS]
#
# User postgres is a superuser there.  Makes a database cq_rails and the roles cq_rails_off and cq_rails_auto, whose
# only difference is ALTER ROLE cq_rails_auto SET cached_query.auto = exact (and auto_min_time = 0).  Each of the
# queries below (prepared statements, eager loading, joins, calculations, pluck, find_each, transactions, locks) is
# asked for by both, several times, and must give the same; between them one of the two writes.
#
# Needs Debian's ruby-activerecord and ruby-pg.  The last line is "N passed, N failed".
require 'active_record'

HOST = ARGV[0]
ROUNDS = (ARGV[1] || 40).to_i
ROLES = %w[cq_rails_off cq_rails_auto].freeze
srand(3)

def connect(user, database, **more)
  ActiveRecord::Base.establish_connection(adapter: 'postgresql', host: HOST, username: user, database: database, **more)
end

connect('postgres', 'postgres')
sql = ->(text) { ActiveRecord::Base.connection.execute(text) }
sql['DROP DATABASE IF EXISTS cq_rails']
ROLES.each do |role|
  sql["DROP ROLE IF EXISTS #{role}"]
  sql["CREATE ROLE #{role} LOGIN SUPERUSER"]
end
sql['ALTER ROLE cq_rails_auto SET cached_query.auto = exact']
sql['ALTER ROLE cq_rails_auto SET cached_query.auto_min_time = 0']
sql['CREATE DATABASE cq_rails']
connect('postgres', 'cq_rails')
ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  enable_extension 'cached_query'
  create_table(:authors) { |t| t.string :name; t.timestamps }
  create_table(:posts) { |t| t.references :author; t.string :title; t.text :body; t.string :tags, array: true; t.jsonb :meta; t.timestamps }
  create_table(:comments) { |t| t.references :post; t.string :who; t.integer :stars; t.timestamps }
end
sql["INSERT INTO authors (name, created_at, updated_at) SELECT 'author ' || g, '2024-01-01', '2024-01-01' FROM generate_series(1, 50) g"]
sql["INSERT INTO posts (author_id, title, body, tags, meta, created_at, updated_at) SELECT 1 + g % 50, 'post ' || g, repeat('x', g % 90), ARRAY['t' || g % 5], jsonb_build_object('n', g % 7), '2024-01-01'::date + g % 300, now() FROM generate_series(1, 2000) g"]
sql["INSERT INTO comments (post_id, who, stars, created_at, updated_at) SELECT 1 + g % 2000, 'who ' || g % 90, g % 6, '2024-02-01', now() FROM generate_series(1, 10000) g"]
sql['ANALYZE']

class Author < ActiveRecord::Base
  has_many :posts
end

class Post < ActiveRecord::Base
  belongs_to :author, optional: true
  has_many :comments, dependent: :delete_all
  scope :tagged, ->(t) { where('? = ANY (tags)', t) }
end

class Comment < ActiveRecord::Base
  belongs_to :post, optional: true
end

PAGES = {
  index: -> { Post.order(created_at: :desc, id: :desc).limit(20).includes(:author).map { |p| [p.attributes, p.author&.name] } },
  show: -> { p = Post.find(17); [p.attributes, p.comments.order(:id).map(&:attributes)] },
  eager: -> { Author.eager_load(:posts).where(id: 1..3).order('authors.id, posts.id').map { |a| [a.name, a.posts.map(&:title)] } },
  count: -> { Post.tagged('t2').joins(:comments).group(:author_id).order(:author_id).count },
  average: -> { [Comment.average(:stars), Comment.where('stars > ?', 2).sum(:stars), Post.maximum(:updated_at)] },
  json: -> { Post.where("meta ->> 'n' = ?", '3').order(:id).limit(30).pluck(:id, :meta, :tags) },
  exists: -> { [Post.exists?(title: 'post 3'), Author.where(name: 'new').exists?, Comment.where(who: 'who 7').count] },
  each: -> { sum = 0; Comment.where(stars: 5).find_each(batch_size: 400) { |c| sum += c.id }; sum },
  many: -> { Post.where(id: (1..300).step(7).to_a).order(:id).pluck(:title) },
  transaction: -> { Post.transaction(isolation: :repeatable_read) { [Post.count, Comment.group(:stars).order(:stars).count, Post.count] } },
  lock: -> { Post.transaction { Post.lock.find(17).title } }
}.freeze

WRITES = [
  -> { Post.find(17).update!(title: "new #{rand}") },
  -> { Post.create!(title: "t #{rand}", author_id: 2, tags: ['t2'], meta: { n: 3 }, body: 'b') },
  -> { Comment.where(id: rand(1..10_000)).delete_all },
  -> { Comment.where(stars: 4).limit(3).update_all(stars: 5) },
  -> { Post.where(id: rand(20..2000)).destroy_all },
  -> { Post.transaction { Author.first.update!(name: "n #{rand}"); Post.count; raise ActiveRecord::Rollback } },
  -> { Post.transaction { Comment.create!(post_id: 17, who: 'a', stars: 1); Post.find(17).comments.count; Author.find(3).touch } }
].freeze

passed = failed = 0
took = Hash.new(0.0)
[true, false].each do |prepared|
  ROUNDS.times do |turn|
    answers = {}
    pages = PAGES.keys.sample(4)
    ROLES.each do |role|
      connect(role, 'cq_rails', prepared_statements: prepared) # as a pooler does it, new sessions come now and then
      start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      answers[role] = pages.flat_map { |page| Array.new(6) { [page, PAGES[page].call] } }
      took[role] += Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
    end
    answers[ROLES[0]].zip(answers[ROLES[1]]) do |direct, cached|
      if direct == cached
        passed += 1
      else
        failed += 1
        puts "turn #{turn}, prepared statements #{prepared}: #{direct[0]} differs"
      end
    end
    connect(ROLES.sample, 'cq_rails', prepared_statements: prepared)
    WRITES.sample.call
  end
end
connect('postgres', 'cq_rails')
puts ActiveRecord::Base.connection.select_rows('SELECT reason, statements FROM cached_query_reasons WHERE statements > 0').to_h
puts "seconds: off #{took[ROLES[0]].round(1)}, exact #{took[ROLES[1]].round(1)}"
puts "#{passed} passed, #{failed} failed"
exit(failed.zero?)
