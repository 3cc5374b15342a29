//! What only the store on PostgreSQL does.

use crate::decisions::for_each_decision;
use crate::store::for_each_story;
use crate::support::postgres;

for_each_decision!(postgres);
for_each_story!(postgres);
