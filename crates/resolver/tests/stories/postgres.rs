//! What only the store on PostgreSQL does.

use crate::store::for_each_story;
use crate::support::postgres;

for_each_story!(postgres);
