package lib.job_test

import data.lib.job

test_a_jobs_own_spec if job.spec({"kind": "Job", "spec": {"backoffLimit": 1}}) == {"backoffLimit": 1}

test_the_spec_of_a_cron_jobs_jobs if {
	job.spec({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"backoffLimit": 1}}}}) == {"backoffLimit": 1}
}

test_malformed_ones_are_empty if {
	every spec in [null, "x", 5, []] {
		job.spec({"kind": "Job", "spec": spec}) == {}
		job.spec({"kind": "CronJob", "spec": spec}) == {}
	}
	job.spec({"kind": "Job"}) == {}
}
